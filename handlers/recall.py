"""`/finetune recall`: how many settled questions a release is shown as examples with each new one."""

from bot.domain.errors import Reason, Refused
from bot.domain.release import MOST_RECALL
from handlers.command import Call, Story
from handlers.views import recall as views


async def recall(call: Call) -> None:
    """Carry out `recall <k>|off [version]`: make a candidate with that recall. The serving release stays as it is."""
    acts = call.acts
    count, _, name = call.argument.partition(" ")
    base = await acts.releasing.named(name) if name else await acts.releasing.serving()
    if not count:
        await call.say(views.shown(base, call.words))
        return
    release = await acts.releasing.recalling(base.id, parse_recall(count), call.spot.user)
    await call.say(views.shown(base, call.words) if release.id == base.id else views.made(release, base, call.words))


def parse_recall(text: str) -> int:
    """Return the recall that a person typed: 0 for `off`, else a number up to `MOST_RECALL`.

    Raises:
        Refused: NOT_A_RECALL.
    """
    if text.casefold() == "off":
        return 0
    if not (text.isascii() and text.isdecimal() and int(text) <= MOST_RECALL):
        raise Refused(Reason.NOT_A_RECALL, text=text, most=MOST_RECALL)
    return int(text)


RECALL_STORY = Story(verbs={"recall": recall}, free=frozenset({"recall"}))
