"""The story of the threshold below which a release says that it is unsure."""

from bot.domain.errors import Reason, Refused
from bot.domain.release import Release
from handlers.command import Call, Story
from handlers.texts.escape import escaped
from handlers.views import unsure as views

WAYS = ("off", "auto")


async def unsure(call: Call) -> None:
    """`unsure [off|auto|<0..1>] [release]`; without a threshold: what each one would come to."""
    how, name = split(call.argument)
    acts = call.acts
    release = await acts.releasing.named(name) if name else await acts.releasing.serving()
    by = call.spot.user
    if how is None:
        await call.say(views.table(await acts.thresholding.doubts(release), call.words))
    elif how == "auto":
        await call.say(views.table(await acts.thresholding.set_advised(release, by), call.words))
    else:
        changed = await acts.thresholding.set(release, None if how == "off" else threshold(how), by)
        await call.say(said(call, changed))


def said(call: Call, release: Release) -> str:
    key = "unsure.off" if release.unsure_below is None else "unsure.set"
    facts = {"release": release.id, "model": escaped(str(release.model)), "threshold": release.unsure_below}
    return call.words(key, **facts)


def split(argument: str) -> tuple[str | None, str | None]:
    """The way or threshold, and the release; either may be left out."""
    parts = argument.replace("`", "").split()
    how = parts.pop(0) if parts and (parts[0].lower() in WAYS or _number(parts[0]) is not None) else None
    return how.lower() if how else None, " ".join(parts) or None


def threshold(text: str) -> float:
    """Raises Refused: NOT_A_THRESHOLD."""
    number = _number(text)
    if number is None or not 0 < number < 1:
        raise Refused(Reason.NOT_A_THRESHOLD, text=text)
    return number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


UNSURE_STORY = Story(verbs={"unsure": unsure})
