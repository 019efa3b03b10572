"""Block Kit for the report on a shadow release."""

from bot.domain.prompt import Prompt
from bot.domain.shadow import Agreement
from bot.releases.shadowing import ShadowReport
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.finetune import name_of
from handlers.views.message import Message, context, section


def report_message(report: ShadowReport, prompt: Prompt, words: Words) -> Message:
    """Return the agreement, overall and by category, and which release was right on settled questions."""
    agreement, release = report.agreement, report.release
    title = words("shadow.title", release=release.id, model=escaped(str(release.model)))
    lines = [f"*{title}*", _overall(agreement, words), *_by_category(agreement, prompt, words)]
    blocks = [section("\n".join(lines)), section(_settled(agreement, words))]
    return Message(title, [*blocks, context(words("shadow.budget", today=report.today, per_day=report.per_day))])


def _overall(agreement: Agreement, words: Words) -> str:
    if agreement.share is None:
        return words("shadow.none")
    return words("shadow.same", same=agreement.same, n=agreement.questions, percent=f"{agreement.share:.0%}")


def _by_category(agreement: Agreement, prompt: Prompt, words: Words) -> list[str]:
    return [
        words("shadow.category", category=name_of(prompt, category), same=same, n=n)
        for category, (same, n) in agreement.by_category.items()
    ]


def _settled(agreement: Agreement, words: Words) -> str:
    return words(
        "shadow.settled",
        serving=agreement.only_serving_right,
        shadow=agreement.only_shadow_right,
        both=agreement.both_right,
        neither=agreement.neither_right,
    )
