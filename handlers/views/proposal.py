"""The message of a proposal: a version that is clearly better, or a training that costs money."""

from bot.domain.proposal import Proposal, ProposalState
from bot.domain.release import Release
from handlers.texts.escape import person
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, details_button
from handlers.views.ids import FINETUNE_SWITCH, PROPOSAL_AGREE, PROPOSAL_DECLINE, NamedPayload
from handlers.views.message import Block, Message, button, section
from handlers.views.version import version


def proposal_message(proposal: Proposal, release: Release | None, serving: Release | None, words: Words) -> Message:
    """Return the proposal as it is now. Only one that waits for an answer has buttons.

    Args:
        proposal: The proposal.
        release: The version that it proposes; None before it is trained.
        serving: The version that answers now.
        words: The readers' language.
    """
    name = release.name if release else ""
    unpriced = words("proposal.no_price")
    price = unpriced if proposal.usd is None else words("proposal.price", usd=f"{proposal.usd:.2f}")
    if proposal.state is ProposalState.OPEN and release:
        title = ready(proposal, release, words)
        now, value = serving.name if serving else "–", NamedPayload(id=release.id).packed()
        lines = [title, words("proposal.about", version=version(release, words), serving=now)]
        buttons = [
            button(words("proposal.switch", name=name), FINETUNE_SWITCH, value, style="primary"),
            details_button(DetailsOf.COMPARISON, release.id, words),
        ]
    elif proposal.state is ProposalState.ASKING:
        lines = [title := words("proposal.ask", price=price)]
        buttons = [button(words("proposal.train"), PROPOSAL_AGREE, NamedPayload(id=proposal.finetune_id).packed())]
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


def ready(proposal: Proposal, release: Release, words: Words) -> str:
    """Return, as mrkdwn, that a version is clearly better than the one in use."""
    return words("proposal.ready", name=release.name, fixed=proposal.fixed, broken=proposal.broken)
