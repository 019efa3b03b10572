"""`/finetune unsure`: the confidence threshold below which a release says that it is unsure."""

import re

from bot.domain.errors import Reason, Refused
from bot.domain.release import Release
from handlers.command import Call, Story
from handlers.texts.typed import read_share
from handlers.views import unsure as views
from handlers.views.ids import UNSURE_AUTO

MODES = ("off", "auto")
MODE = re.compile(r"(?P<mode>[-+]?\d*[.,]?\d+ ?%|\S+)\s*(?P<name>.*)", re.DOTALL)
"""Matches the first word, or a number with its percent sign, and the rest."""


async def unsure(call: Call) -> None:
    """Carry out `unsure [off|auto|<share>] [version]`; without a threshold, show what the advised one would bring."""
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


async def use_advised(call: Call) -> None:
    release = await call.acts.releasing.named(call.argument)
    await call.say(views.table(await call.acts.thresholding.set_advised(release, call.spot.user), call.words))


def confirmation(call: Call, release: Release) -> str:
    if release.unsure_below is None:
        return call.words("unsure.never", name=release.name)
    return call.words("unsure.below", name=release.name, threshold=views.percent(release.unsure_below))


def parse_argument(argument: str) -> tuple[str | None, str | None]:
    """Return the mode (`off`, `auto` or a number) and the version's name; None for each that is left out."""
    found = MODE.fullmatch(argument)
    if found is None:
        return None, None
    mode = found["mode"].casefold()
    if mode in MODES or read_share(mode) is not None:
        return mode, found["name"] or None
    return None, argument


def parse_threshold(text: str) -> float:
    """Return the threshold that a person typed, between 0 and 1, both excluded.

    Raises:
        Refused: NOT_A_THRESHOLD.
    """
    share = read_share(text)
    if share is None or not 0 < share < 1:
        raise Refused(Reason.NOT_A_THRESHOLD, text=text)
    return share


UNSURE_STORY = Story(verbs={"unsure": unsure}, presses={UNSURE_AUTO: use_advised}, free=frozenset({"unsure"}))
