"""The card of a direct message, the private step before it is sent on, and what the people responsible read."""

from bot.domain.card import Card
from bot.domain.prompt import Category
from bot.domain.question import SENT, Disclosure
from handlers.texts.escape import escaped, mention, shorten
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.card import REASON_SHOWN, asked, settlement, small_print
from handlers.views.feedback import rating
from handlers.views.ids import DirectChoice
from handlers.views.message import Block, Message, button, context, section

QUOTED = 2_500
"""Maximum length of the question in the message to the people responsible, in characters."""


def direct_card(shown: Card, words: Words) -> Message:
    """Return the card of a direct message: it mentions nobody, and until it is sent it says that nobody was told.

    Staff's controls are not on it, because only the asker sees it.
    """
    blocks = _answer(shown, words)
    if shown.second is None:
        blocks += [section(_state(shown, words)), rating(shown, words), *_controls(shown, words)]
        return Message(f"{_head(shown, words).replace('*', '')} · {_state(shown, words)}", blocks)
    heads, states = [], []
    for n, part in enumerate(shown.parts):
        blocks = [*blocks, {"type": "divider"}, *_answer(part, words)] if n else blocks
        if part.question.disclosure in SENT:
            blocks.append(context(_state(part, words)))
        else:
            states.append(_state(part, words))
        blocks += _controls(part, words, keep=False)
        heads.append(_head(part, words).replace("*", ""))
    blocks += [section(state) for state in dict.fromkeys(states)]
    undecided = next((part for part in shown.parts if part.question.unsent and not part.question.disclosure), None)
    if undecided:
        # *Send to …* is for each question, and *Keep private* for the whole message.
        blocks.append(
            {
                "type": "actions",
                "block_id": f"direct.keep.{undecided.verdict.id}",
                "elements": [_keep(undecided, words)],
            }
        )
    return Message(" · ".join([" / ".join(heads), *dict.fromkeys(states)]), [*blocks, rating(shown, words)])


def _answer(shown: Card, words: Words) -> list[Block]:
    guide = shown.category.guide if shown.category and not shown.guessed else None
    lines = [_head(shown, words)]
    lines += [asked(shown)] if shown.second or shown.question.part_of else []
    lines += [words("card.guide", guide=escaped(guide, REASON_SHOWN))] if guide else []
    small = [small_print(shown, words), settlement(shown, words) if shown.settled else ""]
    return [section("\n".join(lines)), *(context(line) for line in small if line)]


def _head(shown: Card, words: Words) -> str:
    name = _name(shown, shown.category, words)
    return words("card.guess", category=name) if shown.guessed else f"*{name}*"


def _state(shown: Card, words: Words) -> str:
    return words(f"direct.{shown.question.disclosure or 'open'}")


def _keep(shown: Card, words: Words) -> Block:
    category = (shown.settled or shown.verdict).category
    value = DirectChoice(question=shown.question.id, category=category).packed()
    return button(words("direct.keep"), ids.DIRECT_KEEP, value)


def _controls(shown: Card, words: Words, *, keep: bool = True) -> list[Block]:
    """Return the block with *Send to …*, and with *Keep private* before any decision; nothing once it is sent."""
    if not shown.question.unsent:
        return []
    category = (shown.settled or shown.verdict).category
    value = DirectChoice(question=shown.question.id, category=category).packed()
    controls = [button(words("direct.send", category=_name(shown, shown.category, words)), ids.DIRECT_SEND, value)]
    if keep and shown.question.disclosure is None:
        controls.append(_keep(shown, words))
    block_id = f"direct.{shown.verdict.id}.{shown.question.disclosure or 'open'}"
    return [{"type": "actions", "block_id": block_id, "elements": controls}]


def step(shown: Card, category: Category, words: Words) -> Message:
    """Return the private step before a message is sent: what happens then, and whether with a name."""
    text = words("direct.step", category=escaped(words.name(category)))
    value = DirectChoice(question=shown.question.id, category=category.id).packed()
    controls = [
        button(words("direct.with_name"), ids.DIRECT_NAMED, value),
        button(words("direct.without_name"), ids.DIRECT_UNNAMED, value),
        button(words("direct.not_now"), ids.DIRECT_NOT_NOW, value),
    ]
    return Message(text, [section(text), {"type": "actions", "block_id": "direct.step", "elements": controls}])


def is_sent(words: Words) -> Message:
    """Return the message that replaces the step once the question is on its way."""
    text = words("direct.done")
    return Message(text, [section(text)])


def sent(shown: Card, category: Category | None, owner: str | None, words: Words) -> Message:
    """Return what the people responsible read.

    Args:
        shown: The card.
        category: The category whose people get it.
        owner: The owner to mention, so that Slack notifies them; None in a direct message.
        words: The words of the company's language, or of the person who reads it.
    """
    named = shown.question.disclosure is Disclosure.NAMED
    key = "direct.asks" if named else "direct.asks_unnamed"
    facts = {"asker": mention(shown.question.asker) or "", "category": _name(shown, category, words)}
    text = " ".join(filter(None, (mention(owner), words(key, **facts))))
    quoted = "\n".join(f"> {line}" for line in escaped(shown.question.text, QUOTED).splitlines())
    return Message(text, [section(f"{text}\n{quoted}"), context(words("direct.thread"))])


def unreached(shown: Card, category: Category | None, words: Words) -> Message:
    """Return what the asker reads if nobody could be reached."""
    text = words("direct.unreached", category=_name(shown, category, words))
    return Message(text, [section(text)])


def reply(by: str, text: str, words: Words) -> Message:
    """Return a reply as its asker reads it. `text` is mrkdwn, as Slack gave it; it is empty if there is none."""
    if not text:
        said = words("direct.reply_empty", who=mention(by) or escaped(by))
        return Message(said, [section(said)])
    said = words("direct.reply", who=mention(by) or escaped(by))
    quoted = "\n".join(f"> {line}" for line in shorten(text, QUOTED).splitlines())
    return Message(said, [section(f"{said}\n{quoted}")])


def _name(shown: Card, category: Category | None, words: Words) -> str:
    return escaped(words.name(category) if category else (shown.settled or shown.verdict).category)
