"""`/finetune unsure`: the confidence threshold below which a release says that it is unsure."""

from bot.domain.errors import Reason, Refused
from bot.domain.release import Release
from handlers.command import Call, Story
from handlers.texts.escape import escaped
from handlers.views import unsure as views

MODES = ("off", "auto")


async def unsure(call: Call) -> None:
    """Carry out `unsure [off|auto|<0..1>] [release]`; without a threshold, show what each one would lead to."""
    mode, name = parse_argument(call.argument)
    acts = call.acts
    release = await acts.releasing.named(name) if name else await acts.releasing.serving()
    by = call.spot.user
    if mode is None:
        await call.say(views.table(await acts.thresholding.report(release), call.words))
    elif mode == "auto":
        await call.say(views.table(await acts.thresholding.set_advised(release, by), call.words))
    else:
        changed = await acts.thresholding.set(release, None if mode == "off" else parse_threshold(mode), by)
        await call.say(confirmation(call, changed))


def confirmation(call: Call, release: Release) -> str:
    key = "unsure.off" if release.unsure_below is None else "unsure.set"
    facts = {"release": release.id, "model": escaped(str(release.model)), "threshold": release.unsure_below}
    return call.words(key, **facts)


def parse_argument(argument: str) -> tuple[str | None, str | None]:
    """Return the mode (`off`, `auto` or a number) and the release's name; None for each that is left out."""
    parts = argument.replace("`", "").split()
    mode = parts.pop(0) if parts and (parts[0].lower() in MODES or _parse_number(parts[0]) is not None) else None
    return mode.lower() if mode else None, " ".join(parts) or None


def parse_threshold(text: str) -> float:
    """Return the threshold that a person typed, between 0 and 1, both excluded.

    Raises:
        Refused: NOT_A_THRESHOLD.
    """
    number = _parse_number(text)
    if number is None or not 0 < number < 1:
        raise Refused(Reason.NOT_A_THRESHOLD, text=text)
    return number


def _parse_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


UNSURE_STORY = Story(verbs={"unsure": unsure})
