"""The message of a proposal: a version that passed, a training that costs money, or one that brought nothing."""

from bot.domain.proposal import NEW_ANSWERS, Proposal, ProposalState
from bot.domain.release import Release
from handlers.texts.escape import person
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.ids import FINETUNE_SWITCH, PROPOSAL_AGREE, PROPOSAL_DECLINE, QUEUE_OPEN, NamedPayload
from handlers.views.message import Block, Message, button, section
from handlers.views.version import version


def proposal_message(proposal: Proposal, release: Release | None, serving: Release | None, words: Words) -> Message:
    """Return the proposal as it is now. One that has its answer has no buttons.

    Args:
        proposal: The proposal.
        release: The version that it proposes; None before it is trained.
        serving: The version that answers now.
        words: The readers' language.
    """
    name, now = release.name if release else "", serving.name if serving else "–"
    unpriced = words("proposal.no_price")
    price = unpriced if proposal.usd is None else words("proposal.price", usd=f"{proposal.usd:.2f}")
    if proposal.state is ProposalState.OPEN and release:
        title = ready(proposal, release, words)
        value = NamedPayload(id=release.id).packed()
        lines = [title, words("proposal.about", version=version(release, words), serving=now)]
        buttons = [
            button(words("proposal.switch", name=name), FINETUNE_SWITCH, value, style="primary"),
            details_button(DetailsOf.COMPARISON, release.id, words),
        ]
    elif proposal.state is ProposalState.ASKING:
        lines = [title := words("proposal.ask", price=price)]
        buttons = [button(words("proposal.train"), PROPOSAL_AGREE, NamedPayload(id=proposal.finetune_id).packed())]
    elif proposal.state is ProposalState.DROPPED:
        return _brought_nothing(proposal, release, now, words)
    else:
        who = person(proposal.by) if proposal.by else "–"
        lines = [title := words(f"proposal.ended.{proposal.state.value}", name=name, who=who)]
        return Message(title, [section(title)])
    later = button(words("proposal.later"), PROPOSAL_DECLINE, NamedPayload(id=proposal.finetune_id).packed())
    actions: Block = {
        "type": "actions",
        "block_id": f"proposal.{proposal.finetune_id}.{proposal.state.value}",
        "elements": [*buttons, later],
    }
    return Message(title, [section("\n".join(lines)), actions])


def _brought_nothing(proposal: Proposal, release: Release | None, serving: str, words: Words) -> Message:
    """Return that a training brought nothing, that the same version goes on answering, and what helps most now."""
    facts = {"name": release.name if release else "", "fixed": proposal.fixed, "broken": proposal.broken}
    title = words("proposal.nothing.no_better" if release else "proposal.nothing.failed", **facts)
    confirm = words("home.button.confirm", n=NEW_ANSWERS)
    buttons = [button(confirm, QUEUE_OPEN, NamedPayload(id="next").packed())]
    if release:
        buttons.append(details_button(DetailsOf.COMPARISON, release.id, words))
    lines = [title, words("proposal.nothing.next", serving=serving, n=NEW_ANSWERS)]
    return brief(lines, buttons, f"proposal.{proposal.finetune_id}.dropped")


def ready(proposal: Proposal, release: Release, words: Words) -> str:
    """Return, as mrkdwn, that a version has passed the comparison with the one in use."""
    key = "proposal.ready" if proposal.fixed > proposal.broken else "proposal.ready_equal"
    return words(key, name=release.name, fixed=proposal.fixed, broken=proposal.broken)
