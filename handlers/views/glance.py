"""App Home at a glance, for admins: the version in use, how often it was right, and the next best step."""

from datetime import UTC, date, datetime, time
from itertools import dropwhile

from bot.domain.next_step import NextStep, Step
from bot.finetunes.glancing import Glance, Week
from handlers.texts.words import Words
from handlers.views.finetune import name_of
from handlers.views.ids import FINETUNE_COMPARE, FINETUNE_SWITCH, HOME_TRAIN, QUEUE_OPEN, NamedPayload
from handlers.views.message import Block, button, context, day, plain, section
from handlers.views.permission import ask_button
from handlers.views.status import spent
from handlers.views.version import version

BAR = 10
"""Length of a week's bar, in squares. Text is legible on a phone and in dark mode, and needs no uploaded file."""
FEWEST_JUDGED_A_WEEK = 3
"""Number of judged answers below which a week has no bar: a share of one or two says nothing."""


def glance_blocks(seen: Glance, words: Words) -> list[Block]:
    """Return the glance as blocks of App Home."""
    blocks: list[Block] = [
        {"type": "header", "text": plain(words("home.glance.title"), 150)},
        section(words("home.glance.version", version=version(seen.serving, words))),
        context(right_by_week(seen.weeks, words)),
    ]
    if seen.conflicts:
        blocks.append(section("⚠️ " + words("home.glance.conflicts", n=seen.conflicts)))
    if seen.ends:
        blocks.append(section("⚠️ " + words("home.glance.ends", name=seen.serving.name, day=_noon(seen.ends))))
    if seen.student_ends:
        blocks.append(section("⚠️ " + words("home.glance.student_ends", day=_noon(seen.student_ends))))
    if not seen.allowed:
        blocks.append(section("⏸️ " + words("home.glance.not_allowed"), accessory=ask_button(words)))
    blocks.append(_next(seen, words, primary=seen.allowed))
    blocks.append(context("\n".join([_examples(seen, words), spent(seen.spend, words)])))
    return blocks


def _noon(end: date) -> str:
    """Return mrkdwn that shows a day. Noon of UTC is the same day nearly everywhere."""
    return day(datetime.combine(end, time(12), UTC))


def right_by_week(weeks: tuple[Week, ...], words: Words) -> str:
    """Return how often the answers were right, a line a week, from the first week with a judged answer on."""
    lines = [_bar(week, words) for week in dropwhile(lambda week: not week.judged, weeks)]
    return "\n".join([words("home.glance.right"), *lines]) if lines else words("home.glance.none")


def _bar(week: Week, words: Words) -> str:
    if week.judged < FEWEST_JUDGED_A_WEEK:
        return words("home.glance.few", day=day(week.start), n=week.judged)
    filled = round(BAR * week.right / week.judged)
    bar = "▰" * filled + "▱" * (BAR - filled)
    percent = f"{week.right / week.judged:.0%}"
    return words("home.glance.week", day=day(week.start), bar=bar, percent=percent, right=week.right, of=week.judged)


def _next(seen: Glance, words: Words, *, primary: bool) -> Block:
    """Return the next best step with its one button; a training that is under way needs none."""
    if seen.step is Step.SWITCH and seen.proposal and seen.proposed:
        label = words("proposal.switch", name=seen.proposed.name)
        press = button(label, FINETUNE_SWITCH, NamedPayload(id=seen.proposed.id).packed(), style="primary")
        return section(next_text(seen.next, words), accessory=press)
    text = next_text(seen.next, words)
    if seen.step is Step.TRAINING:
        return section(text)
    if seen.step is Step.COMPARE and seen.candidate:
        payload = NamedPayload(id=seen.candidate.id).packed()
        return section(text, accessory=button(words("home.button.compare"), FINETUNE_COMPARE, payload, style="primary"))
    label = words(f"home.button.{seen.step.value}", n=seen.confirm)
    action = QUEUE_OPEN if seen.step is Step.CONFIRM else HOME_TRAIN
    style = "primary" if primary else None
    return section(text, accessory=button(label, action, NamedPayload(id="next").packed(), style=style))


def next_text(step: NextStep, words: Words) -> str:
    """Return the next best step as one line of mrkdwn."""
    facts = {"n": step.confirm, "name": step.name, "fixed": step.fixed, "broken": step.broken}
    equal = step.step is Step.SWITCH and step.fixed <= step.broken
    return words("home.step.switch_equal" if equal else f"home.step.{step.step.value}", **facts)


def outcome_text(seen: Glance, words: Words) -> str:
    """Return what confirmed answers brought for the next version; nothing while another step comes first."""
    if seen.step in {Step.SWITCH, Step.TRAINING, Step.COMPARE}:
        return ""
    name = f"v{seen.newest + 1}"
    return (
        words("home.outcome.missing", n=seen.confirm, name=name)
        if seen.confirm
        else words("home.outcome.ready", name=name)
    )


def _examples(seen: Glance, words: Words) -> str:
    """Return the number of training examples of each category, with how many are missing."""
    parts = []
    for category in seen.prompt.categories:
        missing = seen.rare.get(category.id)
        facts = {"category": name_of(seen.prompt, category.id, words), "n": seen.examples.get(category.id, 0)}
        parts.append(
            words("home.glance.missing", missing=missing, **facts) if missing else words("home.glance.has", **facts)
        )
    return words("home.glance.examples", parts=" · ".join(parts))
