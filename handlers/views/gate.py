"""Block Kit for the gate's decision, and the form that overrides it."""

from typing import Any

from bot.domain import gate
from bot.domain.audience import Audience
from bot.domain.dataset import Row
from bot.domain.evaluation import ChangedAnswer, Evaluation
from bot.domain.gate import Decision, Outcome
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import FILTERED
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
    """Return the message that tells which release serves now, with the comparison behind it. Everybody may see it."""
    done = words("finetune.switch.done", model=escaped(str(release.model)), release=release.id)
    new, old = accuracy(evaluation.card, words), accuracy(evaluation.before, words)
    lines = [*learning_lines(evaluation, words), *decision_lines(evaluation, words), done]
    lines.append(words("finetune.switch.compared", new=new, old=old))
    lines += filtered_lines(evaluation, words)[:1]
    return Message(done, [_verbatim(lines), *_broken_block(evaluation, words), *_details_block(evaluation, words)])


def refused(evaluation: Evaluation, words: Words) -> Message:
    """Return the message that refuses a switch: the decision, broken corrections, details, rule and override button.

    Only the admin who asked may see it, for it lists what the release still answers wrongly.
    """
    release = evaluation.release
    lines = [
        *learning_lines(evaluation, words),
        *still_wrong_lines(evaluation, words),
        *decision_lines(evaluation, words),
        *filtered_lines(evaluation, words),
    ]
    override = button(
        words("gate.override.button"), FINETUNE_OVERRIDE, NamedPayload(id=release.id).packed(), style="danger"
    )
    return Message(
        lines[0],
        [
            _verbatim(lines),
            *_broken_block(evaluation, words),
            *_details_block(evaluation, words),
            context(rule(words)),
            section(words("gate.override.how", release=release.id)),
            {"type": "actions", "block_id": f"override.{release.id}", "elements": [override]},
        ],
    )


def learning_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return what speaks against a candidate's training itself, without any question's text; often nothing."""
    lines, wrong = [], len(evaluation.still_wrong)
    if evaluation.trust is not None and evaluation.trust < 1:
        lines.append(words("gate.learned.loses", percent=f"{evaluation.trust:.0%}"))
    if wrong:
        right = evaluation.learned - wrong
        lines.append(words("gate.learned.some", right=right, of=evaluation.learned, wrong=wrong))
    return lines


def still_wrong_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the corrections that a candidate still answers wrongly, for admins only.

    Questions that were not asked in public are counted and not shown.
    """
    wrong = evaluation.still_wrong
    if not wrong:
        return []
    shown = [one for one in wrong if one.row.audience is Audience.PUBLIC][:BROKEN_SHOWN]
    lines = [words("gate.learned.wrong")]
    for one in shown:
        change = ChangedAnswer(row=one.row, before=one.row.category, now=one.result.category)
        lines.append(_broken_line(change, evaluation.prompt, words))
    if len(wrong) > len(shown):
        lines.append(words("gate.learned.more", n=len(wrong) - len(shown)))
    return lines


def decision_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the gate's decision in plain words, then dropped categories; nothing for the serving release itself."""
    decision = evaluation.decision
    if decision is None:
        return []
    drops = [_drop_line(drop, evaluation.prompt, words) for drop in decision.drops]
    return [_headline(decision, words), *drops]


def _headline(decision: Decision, words: Words) -> str:
    paired = decision.comparison
    if paired is None:
        return words("gate.first.unknown")
    facts = {"fixed": paired.better, "broken": paired.worse}
    if decision.outcome is not Outcome.NOT_ENOUGH:
        return words(f"gate.first.{decision.why.value}", **facts)
    if decision.missing is None:
        return words("gate.first.hopeless", **facts)
    return words("gate.first.missing", n=_rounded_up(decision.missing), **facts)


def _rounded_up(n: int) -> int:
    """Return an estimate with at most two digits that say something: 6, 38, 750."""
    step = int("1".ljust(max(1, len(str(n)) - 1), "0"))
    return -(-n // step) * step


def detail_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the statistics behind the decision, and the evidence by kind."""
    decision, evidence = evaluation.decision, evaluation.evidence
    if decision is None or evidence is None:
        return []
    kinds = " · ".join(words(f"gate.kind.{kind.value}", n=n) for kind, n in evidence.kinds.items())
    lines = [words("gate.details"), _numbers(decision, words), *([kinds] if kinds else [])]
    if evidence.left_out:
        lines.append(words("gate.left_out", n=evidence.left_out))
    lines.append(words("gate.about", model=escaped(str(evaluation.release.model)), release=evaluation.release.id))
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
        strict=gate.STRICT,
        many=gate.MANY,
        least_equal=gate.LEAST_EQUAL,
        margin=f"{gate.MARGIN * 100:g}",
        floor=f"{gate.RECALL_FLOOR * 100:g}",
        support=gate.FLOOR_SUPPORT,
    )


def broken_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the corrections that the release would break: their number, and the first of them one by one.

    Questions that were not asked in public are counted and not shown: others read the answer too.
    """
    if evaluation.before is None:
        return []
    changes = evaluation.broken
    if not changes:
        return [words("gate.broken.none")]
    lines = [words("gate.broken.title", n=len(changes))]
    shown = [one for one in changes if one.row.audience is Audience.PUBLIC][:BROKEN_SHOWN]
    lines += [_broken_line(change, evaluation.prompt, words) for change in shown]
    if len(changes) > len(shown):
        lines.append(words("gate.learned.more", n=len(changes) - len(shown)))
    return lines


def filtered_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return how many questions the provider's content filter stopped, then the public ones; often nothing."""
    rows = evaluation.filtered
    if not rows:
        return []
    shown = [one for one in rows if one.audience is Audience.PUBLIC][:BROKEN_SHOWN]
    lines = [words("evaluate.filtered", n=len(rows)), *(f"• {_shortened(one)}" for one in shown)]
    return lines + ([words("gate.learned.more", n=len(rows) - len(shown))] if len(rows) > len(shown) else [])


def _broken_line(change: ChangedAnswer, prompt: Prompt, words: Words) -> str:
    right = name_of(prompt, change.row.category)
    now = words("evaluate.filtered_answer") if change.now == FILTERED else name_of(prompt, change.now)
    return words("gate.broken.row", text=_shortened(change.row), right=right, now=now)


def _shortened(row: Row) -> str:
    return escaped(" ".join(row.text.split()), 120)


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


def _details_block(evaluation: Evaluation, words: Words) -> list[dict[str, Any]]:
    lines = detail_lines(evaluation, words)
    return [context("\n".join(lines))] if lines else []


def _verbatim(lines: list[str]) -> dict[str, Any]:
    return section("\n".join(lines), verbatim=True)
