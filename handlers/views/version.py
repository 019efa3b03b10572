"""The name of a release, as people read it. In buttons, arguments and file names it is `release.name` alone."""

from bot.domain.release import Release
from handlers.texts.words import Words
from handlers.views.message import day


def version(release: Release, words: Words) -> str:
    """Return a release's name with its date and its number of training examples, as mrkdwn: `v4 · 28 Nov · …`."""
    key = "version.trained" if release.examples else "version.untrained"
    return words(key, name=release.name, day=day(release.created_at), n=release.examples)
