"""The result of a comparison in a few plain lines, what can be done about it, and the form that overrides the gate."""

from typing import Any

from bot.domain import gate
from bot.domain.evaluation import Evaluation
from bot.domain.gate import Outcome
from bot.domain.release import Release
from handlers.texts.escape import one_line
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.finetune import name_of
from handlers.views.ids import (
    FINETUNE_OVERRIDE,
    FINETUNE_ROLLBACK,
    FINETUNE_SWITCH,
    OVERRIDE_MODAL,
    SENTENCE_INPUT,
    NamedPayload,
    Override,
)
from handlers.views.message import Block, Message, button, plain, section
from handlers.views.version import version

SENTENCE_LENGTH = 500
"""Maximum length of the sentence that overrides the gate, in characters."""
DROPS_SHOWN = 3
"""Maximum number of dropped categories that are named; the details have all of them."""


def switched(release: Release, evaluation: Evaluation, words: Words) -> Message:
    """Return the message that tells which version answers now. Everybody may see it, so it quotes no question."""
    done = words("finetune.switch.done", version=version(release, words))
    details = details_button(DetailsOf.COMPARISON, release.id, words)
    found, decision = finding_lines(evaluation, words), evaluation.decision
    if decision and decision.outcome is not Outcome.PASSED:
        found[0] = words("finetune.switch.despite")  # “compare again” is no advice after a switch
    return brief([done, *found], [rollback_button(release, words), details], "switched")


def refused(evaluation: Evaluation, words: Words) -> Message:
    """Return the message that refuses a switch: what was found, and the buttons to look closer or to go on anyway."""
    buttons = [override_button(evaluation.release, words)]
    details = details_button(DetailsOf.COMPARISON, evaluation.release.id, words)
    return brief(finding_lines(evaluation, words), [*buttons, details], f"override.{evaluation.release.id}")


def compared(evaluation: Evaluation, words: Words) -> Message:
    """Return the message about a finished comparison, with the next step as a button."""
    release, decision = evaluation.release, evaluation.decision
    lines = finding_lines(evaluation, words) or [words("evaluate.none")]
    if evaluation.card.rows:
        lines.append(_answer_line(evaluation, words))
    buttons = []
    if decision:
        passed = decision.outcome is Outcome.PASSED
        buttons = [switch_button(release, words) if passed else override_button(release, words)]
    return brief(lines, [*buttons, details_button(DetailsOf.COMPARISON, release.id, words)], f"compared.{release.id}")


def switch_told(release: Release, who: str, note: str | None, words: Words) -> Message:
    """Return the message that tells the ops channel who switched, and why if the gate did not pass it."""
    lines = [words("progress.switched", who=who, version=version(release, words))]
    if note:
        lines.append(words("progress.overridden", note=one_line(note, 500)))
    details = details_button(DetailsOf.COMPARISON, release.id, words)
    return brief(lines, [rollback_button(release, words), details], f"switched.{release.id}")


def finding_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return what a comparison found, the verdict first. No line holds a question's text."""
    lines = [*decision_lines(evaluation, words)]
    if wrong := len(evaluation.still_wrong):
        some = words("gate.learned.some", right=evaluation.learned - wrong, of=evaluation.learned, wrong=wrong)
        lines = [words("list.after", first=lines[0], next=some)] if lines else [some]
    if evaluation.trust is not None and evaluation.trust < 1:
        lines.append(words("gate.learned.loses"))
    if evaluation.card.rows:
        lines.append(_right_line(evaluation, words))
    if evaluation.before is not None:
        lines += _broken_lines(evaluation, words)
    if evaluation.filtered:
        lines.append(words("evaluate.filtered", n=len(evaluation.filtered)))
    if evaluation.private:
        lines.append(words("evaluate.private", n=evaluation.private))
    return lines


def _broken_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return how many corrections would be wrong again. Beside broken answers that it had not learned, no “none”."""
    if n := len(evaluation.broken):
        return [words("gate.broken.some", n=n)]
    paired = evaluation.decision.comparison if evaluation.decision else None
    return [] if paired and paired.worse else [words("gate.broken.none")]


def decision_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the gate's decision in one plain line; nothing for the serving release itself."""
    decision = evaluation.decision
    if decision is None:
        return []
    paired = decision.comparison
    if paired is None:
        return [words("gate.first.unknown")]
    facts: dict[str, object] = {"fixed": paired.better, "broken": paired.worse}
    if decision.drops:
        dropped = [name_of(evaluation.prompt, drop.category, words) for drop in decision.drops[:DROPS_SHOWN]]
        facts["categories"] = words.listed(dropped)
    if decision.outcome is not Outcome.NOT_ENOUGH:
        return [words(f"gate.first.{decision.why.value}", **facts)]
    missing = evaluation.answers_missing
    if missing is None:
        return [words("gate.first.hopeless", **facts)]
    return [words("gate.first.missing", n=_rounded_up(missing), **facts)]


def _rounded_up(n: int) -> int:
    """Return an estimate with at most two digits that say something: 6, 38, 750."""
    step = int("1".ljust(max(1, len(str(n)) - 1), "0"))
    return -(-n // step) * step


def _right_line(evaluation: Evaluation, words: Words) -> str:
    right, before, of = evaluation.shares
    facts = {"version": version(evaluation.release, words), "right": right, "rows": of}
    if before is None or evaluation.serving is None:
        return words("evaluate.right", **facts)
    return words("evaluate.right_before", before=before, name=evaluation.serving.name, **facts)


def _answer_line(evaluation: Evaluation, words: Words) -> str:
    """Return how long an answer takes and what it costs."""
    usd = evaluation.usd
    if usd is None:
        cost = words("evaluate.no_price")
    else:
        cost = words("evaluate.thousand", usd=f"{usd * 1_000:.2f}") if usd else words("evaluate.free")
    seconds = f"{evaluation.card.latency_p50 / 1_000:.1f}"
    return (
        words("evaluate.answer_at_once", cost=cost)
        if seconds == "0.0"
        else words("evaluate.answer", seconds=seconds, cost=cost)
    )


def switch_button(release: Release, words: Words) -> Block:
    """Return the button that lets a version answer if the gate passes it."""
    text = words("finetune.switch.to", name=release.name)
    return button(text, FINETUNE_SWITCH, NamedPayload(id=release.id).packed(), style="primary")


def override_button(release: Release, words: Words) -> Block:
    """Return the button that asks for the sentence of an override."""
    return button(words("gate.override.button"), FINETUNE_OVERRIDE, NamedPayload(id=release.id).packed())


def rollback_button(release: Release, words: Words) -> Block:
    """Return the button that goes back to the version before, as long as this release serves."""
    return button(words("finetune.switch.back"), FINETUNE_ROLLBACK, NamedPayload(id=release.id).packed())


def form(release: Release, words: Words, *, channel: str | None, thread: str | None) -> dict[str, Any]:
    """Return the modal that asks for the sentence of an override."""
    about = words("gate.override.about", version=version(release, words))
    return {
        "type": "modal",
        "callback_id": OVERRIDE_MODAL,
        "private_metadata": Override(release=release.id, channel=channel, thread=thread).packed(),
        "title": plain(words("gate.override.title"), 24),
        "submit": plain(words("gate.override.submit"), 24),
        "close": plain(words("gate.override.close"), 24),
        "blocks": [
            section(about),
            {
                "type": "input",
                "block_id": SENTENCE_INPUT,
                "label": plain(words("gate.override.label"), 2_000),
                "hint": plain(words("gate.override.hint", least=gate.LEAST_SENTENCE), 2_000),
                "element": {
                    "type": "plain_text_input",
                    "action_id": SENTENCE_INPUT,
                    "multiline": True,
                    "min_length": gate.LEAST_SENTENCE,
                    "max_length": SENTENCE_LENGTH,
                },
            },
        ],
    }
