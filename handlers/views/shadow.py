"""Block Kit for the report on a shadow release."""

from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.shadow import Agreement
from bot.releases.shadowing import ShadowReport
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.finetune import name_of
from handlers.views.ids import SHADOW_STOP, NamedPayload
from handlers.views.message import Message, button
from handlers.views.version import technical, version


def report_message(report: ShadowReport, words: Words) -> Message:
    """Return how often the shadow agreed, and which release was right on settled questions."""
    agreement, release = report.agreement, report.release
    lines = [_overall(agreement, release, words), words("shadow.unseen", version=version(release, words))]
    if settled := agreement.only_shadow_right + agreement.only_serving_right:
        facts = {"shadow": agreement.only_shadow_right, "serving": agreement.only_serving_right}
        lines.insert(1, words("shadow.settled", n=settled, name=release.name, **facts))
    stop = button(words("shadow.stop"), SHADOW_STOP, NamedPayload(id=release.id).packed())
    return brief(lines, [stop, details_button(DetailsOf.SHADOW, release.id, words)], f"shadow.{release.id}")


def paragraphs(report: ShadowReport, prompt: Prompt, words: Words) -> list[str]:
    """Return the agreement by category, the settled questions, and how many questions the shadow gets."""
    agreement = report.agreement
    by_category = [
        words("details.shadow.category", category=name_of(prompt, category, words), same=same, n=n)
        for category, (same, n) in agreement.by_category.items()
    ]
    settled = words(
        "details.shadow.settled",
        serving=agreement.only_serving_right,
        shadow=agreement.only_shadow_right,
        both=agreement.both_right,
        neither=agreement.neither_right,
    )
    budget = words("details.shadow.budget", today=report.today, per_day=report.per_day)
    return [technical(report.release, words), "\n".join([*by_category, settled, budget])]


def _overall(agreement: Agreement, release: Release, words: Words) -> str:
    if agreement.share is None:
        return words("shadow.none", name=release.name)
    share = f"{agreement.share:.0%}"
    return words("shadow.same", name=release.name, same=agreement.same, n=agreement.questions, percent=share)
