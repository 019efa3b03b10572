"""Askers' feedback on answers: its controls, the private question, and the notice to owners."""

from typing import Any

from bot.domain.card import Card
from bot.domain.feedback import AskerFeedback, FeedbackKind
from handlers.texts.escape import mention, one_line
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import FeedbackForm, QuestionPayload, Said
from handlers.views.message import Block, Message, button, plain, section

WORDS_LENGTH = 500
"""Maximum length of an asker's sentence, in characters."""
WHYS = (FeedbackKind.WRONG_TEAM, FeedbackKind.NEEDS_PERSON)
"""Reasons for *Not helpful* that are a button of their own, so that nobody has to write a sentence."""


def rating(shown: Card, words: Words) -> Block:
    """Return the asker's own controls: small, and below the answer. Anybody else's press is refused in private."""

    def side(kind: FeedbackKind) -> Block:
        text = plain(words(f"feedback.button.{kind.value}"), 75)
        return {"text": text, "value": Said(question=shown.question.id, kind=kind).packed()}

    rate = {
        "type": "feedback_buttons",
        "action_id": ids.FEEDBACK,
        "positive_button": side(FeedbackKind.SOLVED),
        "negative_button": side(FeedbackKind.NOT_HELPFUL),
    }
    # Slack keeps what was pressed while the block id stays the same.
    block_id = f"asker.{shown.verdict.id}.{shown.state}"
    return {"type": "context_actions", "block_id": block_id, "elements": [rate]}


def thanks(words: Words) -> Message:
    """Return the private answer to *Solved*."""
    return _message(words("feedback.thanks"))


def ask_why(question_id: str, words: Words) -> Message:
    """Return the private question what is missing, with a button for each reason."""
    buttons = [
        button(
            words(f"feedback.button.{kind.value}"),
            f"{ids.FEEDBACK_WHY}.{kind.value}",
            Said(question=question_id, kind=kind).packed(),
        )
        for kind in WHYS
    ]
    value = QuestionPayload(question=question_id).packed()
    buttons.append(button(words("feedback.button.other"), ids.FEEDBACK_OPEN, value))
    text = words("feedback.why")
    return Message(text, [section(text), {"type": "actions", "block_id": "feedback", "elements": buttons}])


def alone(words: Words) -> Message:
    """Return the private answer to *Not helpful* on a direct message that was sent on: its people answer there."""
    return _message(words("feedback.direct"))


def noted(shown: Card, words: Words) -> Message:
    """Return the private message that replaces the question: who is told."""
    owner = mention(shown.owner)
    return _message(words("feedback.noted", owner=owner) if owner else words("feedback.noted_nobody"))


def form(private: FeedbackForm, words: Words) -> dict[str, Any]:
    """Return the form for a sentence of the asker's own."""
    sentence = {"type": "plain_text_input", "action_id": ids.SENTENCE_INPUT, "multiline": True}
    return {
        "type": "modal",
        "callback_id": ids.FEEDBACK_FORM,
        "private_metadata": private.packed(),
        "title": plain(words("feedback.form.title"), 24),
        "submit": plain(words("feedback.form.submit"), 24),
        "close": plain(words("feedback.form.close"), 24),
        "blocks": [
            {
                "type": "input",
                "block_id": ids.SENTENCE_INPUT,
                "label": plain(words("feedback.form.label"), 2_000),
                "hint": plain(words("feedback.form.hint"), 2_000),
                "element": {**sentence, "max_length": WORDS_LENGTH},
            }
        ],
    }


def unhelped(shown: Card, words: Words, staff: str) -> Message:
    """Return the message that asks the owner, or staff if there is none, to help the asker."""
    asker, owner = mention(shown.question.asker) or "", mention(shown.owner) or staff
    why = said(shown.feedback, words) if shown.feedback else ""
    key = "feedback.tell" if owner else "feedback.tell_nobody"
    return _message(words(key, owner=owner, asker=asker, why=why))


def said(feedback: AskerFeedback, words: Words) -> str:
    """Return, as mrkdwn, what an asker said."""
    return words(f"feedback.kind.{feedback.kind.value}", words=one_line(feedback.words or "", WORDS_LENGTH))


def _message(text: str) -> Message:
    return Message(text, [section(text)])
