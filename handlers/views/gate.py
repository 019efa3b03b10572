"""Block Kit for the gate's decision, and the form that overrides it."""

from typing import Any

from bot.domain import gate
from bot.domain.evaluation import ChangedAnswer, Evaluation
from bot.domain.gate import Decision, Outcome
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.finetune import NamedPayload, accuracy, name_of
from handlers.views.ids import FINETUNE_OVERRIDE, OVERRIDE_MODAL, SENTENCE_INPUT, Override
from handlers.views.message import Message, button, context, plain, section

BROKEN_SHOWN = 10
"""Maximum number of broken corrections in the text; the attached file has all of them."""
SENTENCE_LENGTH = 500
"""Maximum length of the sentence that overrides the gate, in characters."""


def switched(release: Release, evaluation: Evaluation, words: Words) -> Message:
    """Return the message that tells which release serves now, with the comparison behind it."""
    done = words("finetune.switch.done", model=escaped(str(release.model)), release=release.id)
    new, old = accuracy(evaluation.card, words), accuracy(evaluation.before, words)
    lines = [done, words("finetune.switch.compared", new=new, old=old), *decision_lines(evaluation, words)]
    return Message(done, [_verbatim(lines), *_broken_block(evaluation, words)])


def refused(evaluation: Evaluation, words: Words) -> Message:
    """Return the message that refuses a switch: the rule, the numbers, broken corrections and the override button."""
    release = evaluation.release
    lines = decision_lines(evaluation, words)
    override = button(
        words("gate.override.button"), FINETUNE_OVERRIDE, NamedPayload(id=release.id).packed(), style="danger"
    )
    return Message(
        lines[0],
        [
            _verbatim(lines),
            *_broken_block(evaluation, words),
            context(rule(words)),
            section(words("gate.override.how", release=release.id)),
            {"type": "actions", "block_id": f"override.{release.id}", "elements": [override]},
        ],
    )


def decision_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the gate's decision, its reason and the numbers; nothing for the serving release itself."""
    decision = evaluation.decision
    if decision is None:
        return []
    model = escaped(str(evaluation.release.model))
    lines = [
        words(f"gate.outcome.{decision.outcome.value}", model=model, release=evaluation.release.id),
        words(f"gate.why.{decision.why.value}"),
        *(_drop_line(drop, evaluation.prompt, words) for drop in decision.drops),
    ]
    if decision.comparison:
        lines.append(_numbers(decision, words))
        if decision.outcome is Outcome.NOT_ENOUGH:
            missing = decision.missing
            lines.append(words("gate.hopeless") if missing is None else words("gate.missing", n=missing))
    return lines


def _numbers(decision: Decision, words: Words) -> str:
    paired = decision.comparison
    if paired is None:
        return ""
    low, high = paired.interval
    return words(
        "gate.numbers",
        rows=paired.rows,
        groups=paired.groups,
        fixed=len(paired.fixed),
        broken=len(paired.broken),
        p=f"{paired.p:.2g}",
        difference=points(paired.difference),
        low=points(low),
        high=points(high),
    )


def _drop_line(drop: gate.Drop, prompt: Prompt, words: Words) -> str:
    category = name_of(prompt, drop.category)
    return words(
        "gate.drop", category=category, before=f"{drop.before:.0%}", now=f"{drop.now:.0%}", support=drop.support
    )


def rule(words: Words) -> str:
    """Return the gate's rule in words, with its thresholds."""
    return words(
        "gate.rule",
        significant=gate.SIGNIFICANT,
        least_better=gate.LEAST_BETTER,
        least_equal=gate.LEAST_EQUAL,
        margin=f"{gate.MARGIN * 100:g}",
        floor=f"{gate.RECALL_FLOOR * 100:g}",
        support=gate.FLOOR_SUPPORT,
    )


def broken_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the corrections that the release would break: their number, and the first of them one by one."""
    if evaluation.before is None:
        return []
    changes = evaluation.broken
    if not changes:
        return [words("gate.broken.none")]
    lines = [words("gate.broken.title", n=len(changes))]
    lines += [_broken_line(change, evaluation.prompt, words) for change in changes[:BROKEN_SHOWN]]
    if len(changes) > BROKEN_SHOWN:
        lines.append(words("gate.broken.more", n=len(changes) - BROKEN_SHOWN))
    return lines


def _broken_line(change: ChangedAnswer, prompt: Prompt, words: Words) -> str:
    right, now = name_of(prompt, change.row.category), name_of(prompt, change.now)
    return words("gate.broken.row", text=escaped(" ".join(change.row.text.split()), 120), right=right, now=now)


def form(release: Release, words: Words, *, channel: str | None, thread: str | None) -> dict[str, Any]:
    """Return the modal that asks for the sentence of an override."""
    about = words("gate.override.about", model=escaped(str(release.model)))
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


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign. Infinite ends of an interval become ±100."""
    return f"{min(max(share, -1.0), 1.0) * 100:+.1f}"


def _broken_block(evaluation: Evaluation, words: Words) -> list[dict[str, Any]]:
    lines = broken_lines(evaluation, words)
    return [_verbatim(lines)] if lines else []


def _verbatim(lines: list[str]) -> dict[str, Any]:
    return section("\n".join(lines), verbatim=True)
