"""The story of recall: how many settled questions a release is shown with each new one."""

from bot.domain.errors import Reason, Refused
from bot.domain.release import MOST_RECALL
from handlers.command import Call, Story
from handlers.texts.escape import escaped


async def recall(call: Call) -> None:
    """`recall <k>|off [release]`: a candidate with that recall; what serves stays as it is."""
    acts = call.acts
    wanted, _, name = call.argument.partition(" ")
    base = await acts.releasing.named(name.strip("` ")) if name else await acts.releasing.serving()
    if not wanted:
        await call.say(call.words("recall.is", release=base.id, model=escaped(str(base.model)), recall=base.recall))
        return
    release = await acts.releasing.recalling(base.id, number(wanted), call.spot.user)
    key = "recall.same" if release.id == base.id else "recall.made"
    await call.say(call.words(key, release=release.id, model=escaped(str(release.model)), recall=release.recall))


def number(wanted: str) -> int:
    """Raises Refused: NOT_A_RECALL."""
    if wanted.lower() == "off":
        return 0
    if not (wanted.isascii() and wanted.isdecimal() and int(wanted) <= MOST_RECALL):
        raise Refused(Reason.NOT_A_RECALL, text=wanted, most=MOST_RECALL)
    return int(wanted)


RECALL_STORY = Story(verbs={"recall": recall})
