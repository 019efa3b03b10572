"""The private form in which staff keep an owner's answer."""

from typing import Any

from bot.domain.card import Card
from bot.domain.prompt import Category
from handlers.texts.escape import escaped, shorten
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import FeedbackForm
from handlers.views.message import option, plain, section

QUESTION_SHOWN = 300
"""Maximum length of the question that the form quotes, in characters."""
GUIDE_LENGTH = 1_000
"""Maximum length of a guide, in characters: it is the second line of a card."""


def form(shown: Card, category: Category, answer: str, private: FeedbackForm, words: Words) -> dict[str, Any]:
    """Return the form: the answer as the category's guide, or the question as a further example."""
    kinds = {ids.KEEP_AS_GUIDE: "keep.guide", ids.KEEP_AS_EXAMPLE: "keep.example"}
    options = [option(words(key, category=words.name(category)), value) for value, key in kinds.items()]
    radio = {"type": "radio_buttons", "action_id": ids.KEEP_AS, "options": options, "initial_option": options[0]}
    text = {"type": "plain_text_input", "action_id": ids.GUIDE, "multiline": True, "max_length": GUIDE_LENGTH}
    question = escaped(" ".join(shown.question.text.split()), QUESTION_SHOWN)
    return {
        "type": "modal",
        "callback_id": ids.KEEP_FORM,
        "private_metadata": private.packed(),
        "title": plain(words("keep.title"), 24),
        "submit": plain(words("keep.submit"), 24),
        "close": plain(words("keep.close"), 24),
        "blocks": [
            section(f"> {question}"),
            {"type": "input", "block_id": ids.KEEP_AS, "label": plain(words("keep.as"), 2_000), "element": radio},
            {
                "type": "input",
                "block_id": ids.GUIDE,
                "optional": True,
                "label": plain(words("keep.text"), 2_000),
                "hint": plain(words("keep.hint"), 2_000),
                "element": {**text, "initial_value": shorten(answer, GUIDE_LENGTH)},
            },
        ],
    }
