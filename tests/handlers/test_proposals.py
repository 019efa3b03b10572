"""Proposals through Slack: where they are posted, and who may answer them."""

from bot.domain.dataset import Manifest
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.proposal import PROPOSAL_TOPIC, Proposal, ProposalState
from bot.domain.release import ModelName
from bot.releases.releasing import add_candidate
from handlers.views.ids import DETAILS, FINETUNE_SWITCH, PROPOSAL_DECLINE, QUEUE_OPEN
from tests.kits.slack_desk import MODEL, SlackDesk, controls, texts


async def propose(desk: SlackDesk, state: ProposalState = ProposalState.OPEN) -> str:
    """Store a proposal as the act would, and return the id of its version."""
    now, serving = desk.clock.now(), await desk.acts.releasing.serving()
    frozen = Manifest(
        id="d1", prompt_id=serving.prompt_id, rows=20, held_out=5, per_category={}, sources={}, left_out={}, bytes=1
    )
    finetune = Finetune(
        id="ft-1",
        student=MODEL,
        dataset_id="d1",
        prompt_id=serving.prompt_id,
        estimate=Estimate(rows=20, tokens=1, epochs=1, usd=0.0, price_date=None),
        state=FinetuneState.SUCCEEDED,
        requested_by="madoguchi",
        language="en",
        created_at=now,
        updated_at=now,
    )
    async with desk.store.transaction() as tx:
        await tx.datasets.put(frozen, now)
        await tx.finetunes.add(finetune)
        model = ModelName(provider="local", model="ft:base:1")
        made = await add_candidate(
            tx, now, model, prompt_id=serving.prompt_id, by="madoguchi", why="test", finetune_id="ft-1"
        )
        figures = {"release_id": made.id, "over": serving.id, "fixed": 23, "broken": 1}
        proposal = Proposal(finetune_id="ft-1", state=state, created_at=now, updated_at=now)
        await tx.proposals.add(proposal.model_copy(update=figures))
        await tx.outbox.add(PROPOSAL_TOPIC, "ft-1", {}, now)
    desk.deliverers.wake()
    return made.id


async def test_ops_channel_is_asked_and_admin_declines(desk: SlackDesk) -> None:
    yuko, kenji = await desk.window(desk.server.people.admin), await desk.kenji()
    await propose(desk)
    shown = await yuko.message(lambda m: "is ready: 23 fixed, 1 broken" in texts(m))
    assert shown["channel"] == desk.server.channels.ops.id
    assert controls(shown) == [FINETUNE_SWITCH, DETAILS, PROPOSAL_DECLINE]
    await kenji.press(shown, PROPOSAL_DECLINE)
    await kenji.message(lambda m: bool(m.get("ephemeral")))
    await yuko.press(shown, PROPOSAL_DECLINE)
    after = await yuko.message(lambda m: m["ts"] == shown["ts"] and "Not now" in texts(m) and not controls(m))
    assert yuko.user_id in texts(after)


async def test_training_that_brought_nothing_names_the_next_step(desk: SlackDesk) -> None:
    yuko, kenji = await desk.window(desk.server.people.admin), await desk.kenji()
    await propose(desk, ProposalState.DROPPED)
    shown = await yuko.message(lambda m: "v2 was trained and is not clearly better yet: 23 fixed, 1 broken" in texts(m))
    assert shown["channel"] == desk.server.channels.ops.id
    assert "Nothing was switched: v1 answers as before" in texts(shown)
    assert controls(shown) == [QUEUE_OPEN, DETAILS]
    await kenji.press(shown, QUEUE_OPEN)
    assert texts(await kenji.view())


async def test_switch_changes_the_proposals_message(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    made = await propose(desk)
    shown = await yuko.message(lambda m: "is ready" in texts(m))
    await desk.acts.releasing.switch(made, yuko.user_id)
    desk.deliverers.wake()
    await yuko.message(lambda m: m["ts"] == shown["ts"] and "answers now" in texts(m) and not controls(m))
