"""The name of a release, as people read it. In buttons, arguments and file names it is `release.name` alone."""

from collections.abc import Sequence

from bot.domain.release import Release
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.message import day


def version(release: Release, words: Words) -> str:
    """Return a release's name with its date and its number of examples, as mrkdwn: `v4 (28 Nov, 812 examples)`."""
    key = "version.trained" if release.examples else "version.untrained"
    return words(key, name=release.name, day=day(release.created_at), n=release.examples)


def technical(release: Release, words: Words) -> str:
    """Return a line with the ids and the settings of a release, for the details."""
    line = words(
        "details.version.line",
        version=version(release, words),
        state=words(f"finetune.release.{release.state.value}"),
        model=escaped(str(release.model)),
        release=release.id,
        prompt=release.prompt_id[:12],
        recall=release.recall,
    )
    if release.unsure_below is None:
        return line
    return line + " · " + words("details.version.unsure", threshold=f"{release.unsure_below:.4g}")


def versions_paragraphs(releases: Sequence[Release], words: Words) -> list[str]:
    """Return a line for each of these releases, for the details."""
    return ["\n".join(technical(release, words) for release in releases)]
