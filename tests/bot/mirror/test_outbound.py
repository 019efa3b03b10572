"""The outgoing mirror: it sends the whole record once and in order, and waits while the tracker is in trouble."""

from datetime import timedelta

import pytest

from bot.corrections.consenting import Consenting
from bot.corrections.correcting import Correcting
from bot.domain.audience import Audience
from bot.domain.consent import Author
from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Split
from bot.domain.errors import TrackerDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.finetune import FinetuneState
from bot.domain.mirror import Feedback, Purpose
from bot.domain.mirrored import MIRROR_DOWN, MIRROR_TOPIC
from bot.domain.shadow import Shadow
from bot.mirror.inbound import MirrorInbound
from bot.mirror.outbound import CHANGES_PER_PAGE, FEEDBACK_TRIES
from bot.releases.releasing import Releasing
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, arrival, row, rows_of
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import MemoryNeighbours
from tests.kits.mirror_desk import WAIT, MirrorDesk
from tests.storage.things import finetune, manifest


async def test_verdict_becomes_trace_with_its_own_id(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.ask("有給は何日前？ 03-1234-5678")
    await mirror.mirror_all()
    (trace,) = mirror.tracker.traces.values()
    assert (trace.id, trace.purpose, trace.about) == (verdict.trace, Purpose.SERVING, question.id)
    assert (trace.category, trace.reason, trace.model, trace.prompt_id) == ("労務", verdict.reason, BASE, PROMPT.id)
    assert (trace.tokens_in, trace.usd is not None) == (verdict.tokens_in, True)
    assert trace.text == question.text
    assert "1234" not in trace.text
    assert await mirror.unsent() == 0


async def test_shadow_answer_becomes_separate_trace(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.ask()
    shadow = Shadow(
        question_id=question.id,
        release_id=verdict.release_id,
        category="it",
        confidence=0.5,
        tokens_in=9,
        tokens_out=3,
        at=mirror.clock.now(),
    )
    async with mirror.store.transaction() as tx:
        await tx.shadows.put(shadow)
        await tx.shadows.put(shadow)
    await mirror.mirror_all()
    serving, shown = sorted(mirror.tracker.traces.values(), key=lambda trace: trace.purpose)
    assert (serving.purpose, shown.purpose, shown.category) == (Purpose.SERVING, Purpose.SHADOW, "情シス")
    assert shown.id.version == 7


async def test_newest_correction_replaces_earlier_feedback(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.ask()
    await mirror.press(question, "it")
    await mirror.mirror_all()
    first = only_feedback(mirror)
    assert (first.kind, first.category, first.trace_id) == (CorrectionKind.CHANGE, "情シス", verdict.trace)
    assert "U2" not in first.by
    await Correcting(mirror.store, MemoryNeighbours(), mirror.clock).undo(question.id, 1, "U2")
    await mirror.press(question, "labor", seen=2, by="U3")
    await mirror.mirror_all()
    last = only_feedback(mirror)
    assert (last.kind, last.category) == (CorrectionKind.AGREE, "労務")
    assert last.by != first.by
    other, _ = await mirror.ask("PC が遅い", n=2)
    await mirror.press(other, "it")
    await mirror.new_outbound().mirror()
    assert {one.by for one in mirror.tracker.feedback.values()} == {first.by, last.by}


def only_feedback(mirror: MirrorDesk) -> Feedback:
    (one,) = mirror.tracker.feedback.values()
    return one


async def test_row_copy_matches_the_training_file(mirror: MirrorDesk) -> None:
    question, _ = await mirror.ask()
    await mirror.press(question, "it")
    await mirror.mirror_all()
    (copy,) = mirror.tracker.rows.values()
    assert (copy.row_id, copy.system, copy.category) == (question.id, PROMPT.text, "情シス")
    await Correcting(mirror.store, MemoryNeighbours(), mirror.clock).undo(question.id, 1, "U2")
    await mirror.mirror_all()
    assert mirror.tracker.rows == {}


async def test_existing_rows_are_copied_page_by_page(mirror: MirrorDesk) -> None:
    rows = rows_of(Split.TRAIN, "labor", CHANGES_PER_PAGE + 10)
    async with SqlStore(mirror.store._database).transaction() as tx:
        await tx.rows.put(*rows, row("誰のもの？", "retired", row_id="zz"))
    assert await mirror.unsent() == 0
    await mirror.outbound.mirror()
    assert len(mirror.tracker.rows) == CHANGES_PER_PAGE
    assert not (await mirror.state()).filled
    mirror.outbound = mirror.new_outbound()
    await mirror.mirror_all()
    assert mirror.tracker.rows.keys() == {one.id for one in rows}
    assert max(n for verb, n in mirror.tracker.calls if verb == "put_rows") == CHANGES_PER_PAGE
    assert (await mirror.state()).filled
    sent = len(mirror.tracker.calls)
    await mirror.mirror_all()
    assert len(mirror.tracker.calls) == sent


async def test_trouble_is_cleared_before_the_copy_is_complete(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.TRAIN, "labor", CHANGES_PER_PAGE + 1))
        await tx.outbox.remove(MIRROR_TOPIC, await tx.outbox.page(MIRROR_TOPIC, 0, CHANGES_PER_PAGE + 1))
    mirror.tracker.fail(1)
    await mirror.outbound.mirror()
    assert await mirror.trouble() == MIRROR_DOWN
    mirror.clock.advance(seconds=WAIT)
    await mirror.outbound.mirror()
    assert not (await mirror.state()).filled
    assert await mirror.trouble() is None


async def test_rows_changed_without_mirror_are_queued_at_start(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？", row_id="a"), row("PC", row_id="b"))
    await mirror.outbound.resume()
    await mirror.mirror_all()
    mirror.clock.advance(hours=1)
    await mirror.mirror_all()
    async with SqlStore(mirror.store._database).transaction() as off:
        await off.rows.put(row("税", row_id="c", at=7_200))
        await off.rows.withdraw("a", mirror.clock.now())
    await mirror.mirror_all()
    assert mirror.tracker.rows.keys() == {"a", "b"}
    await mirror.new_outbound().resume()
    assert await mirror.unsent() == 2
    await mirror.mirror_all()
    assert mirror.tracker.rows.keys() == {"b", "c"}


async def test_new_prompt_sends_all_rows_again(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？"), row("PC", "it"))
    await mirror.mirror_all()
    prompt = PROMPT.changed(template="別の文章です。", categories=[c for c in PROMPT.categories if c.id != "it"])
    mirror.clock.advance(seconds=1)
    await Releasing(mirror.store, mirror.clock).ensure(prompt, BASE)
    await mirror.mirror_all()
    assert {copy.system for copy in mirror.tracker.rows.values()} == {prompt.text}
    assert {copy.category for copy in mirror.tracker.rows.values()} == {"労務"}


async def test_rows_of_confirmed_fine_tune_become_a_version(mirror: MirrorDesk) -> None:
    planned = finetune().model_copy(update={"prompt_id": PROMPT.id})
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？", row_id="a"), row("PC", "it", row_id="b"), row("税", row_id="c"))
        await tx.datasets.put(manifest().model_copy(update={"prompt_id": PROMPT.id}), mirror.clock.now())
        await tx.finetunes.add(planned)
        await tx.finetunes.save_rows(planned.id, {"a": "a", "b": "b"})
        confirmed = planned.model_copy(update={"state": FinetuneState.CONFIRMED})
        assert await tx.finetunes.advance(confirmed, FinetuneState.PLANNED)
        await tx.rows.withdraw("a", mirror.clock.now())
    await mirror.mirror_all()
    assert mirror.tracker.tags[planned.id].keys() <= {"a", "b"}
    assert mirror.tracker.rows.keys() == {"b", "c"}


async def test_new_dataset_gets_versions_of_earlier_fine_tunes(mirror: MirrorDesk) -> None:
    """The dataset is new because it was deleted there, or because no mirror ran when the fine-tunes were confirmed."""
    trained = finetune(state=FinetuneState.SUCCEEDED).model_copy(update={"prompt_id": PROMPT.id})
    planned = finetune("f2").model_copy(update={"prompt_id": PROMPT.id})
    async with mirror.store.transaction() as tx:
        old = row("有給は？", row_id="a").model_copy(update={"settled_at": trained.created_at})
        await tx.rows.put(old)
        await tx.datasets.put(manifest().model_copy(update={"prompt_id": PROMPT.id}), mirror.clock.now())
        for one in (trained, planned):
            await tx.finetunes.add(one)
            await tx.finetunes.save_rows(one.id, {"a": "a"})
    for _ in range(2):
        await mirror.mirror_all()
        assert {tag: [*rows] for tag, rows in mirror.tracker.tags.items()} == {trained.id: ["a"]}
        mirror.tracker.delete_dataset()
        mirror.tracker.tags.clear()
        assert await mirror.outbound.mirror() is False
        await receive_nothing(mirror)
        mirror.clock.advance(seconds=WAIT)


async def receive_nothing(mirror: MirrorDesk) -> None:
    """Receive once, which notices a deleted dataset even if nothing waits to be sent."""
    correcting = Correcting(mirror.store, MemoryNeighbours(), mirror.clock)
    assert await MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, []).receive() == 0


async def test_late_version_omits_rows_changed_since(mirror: MirrorDesk) -> None:
    """LangSmith's export of the version must contain only what was trained on."""
    planned = finetune().model_copy(update={"prompt_id": PROMPT.id, "created_at": mirror.clock.now()})
    before, after = row("有給は？", row_id="a"), row("PC", "it", row_id="b")
    async with mirror.store.transaction() as tx:
        await tx.rows.put(before, after)
        await tx.datasets.put(manifest().model_copy(update={"prompt_id": PROMPT.id}), mirror.clock.now())
        await tx.finetunes.add(planned)
        await tx.finetunes.save_rows(planned.id, {"a": "a", "b": "b"})
        confirmed = planned.model_copy(update={"state": FinetuneState.CONFIRMED})
        assert await tx.finetunes.advance(confirmed, FinetuneState.PLANNED)
        mirror.clock.advance(seconds=1)
        await tx.rows.put(after.model_copy(update={"category": "labor", "settled_at": mirror.clock.now()}))
    await mirror.mirror_all()
    assert mirror.tracker.tags[planned.id].keys() == {"a"}
    assert mirror.tracker.rows["b"].category == "労務"


async def test_evaluation_becomes_experiment_on_held_out_version(mirror: MirrorDesk) -> None:
    held_out = rows_of(Split.HELD_OUT, "labor", 3)
    mirror.model.rules = {"labor": "labor"}
    async with mirror.store.transaction() as tx:
        await tx.rows.put(*held_out)
        release = await tx.releases.serving()
    assert release
    await mirror.evaluating.evaluate(release)
    await mirror.outbound.evaluated(release)
    await mirror.mirror_all()
    ((name, tried),) = mirror.tracker.experiments.items()
    assert name.startswith(release.id)
    assert tried.keys() == {one.id for one in held_out}
    assert all(one.trace.purpose is Purpose.EVALUATION for one in tried.values())
    assert mirror.tracker.figures[name]["accuracy"] == sum(one.right for one in tried.values()) / 3
    (version,) = mirror.tracker.tags.values()
    assert version.keys() == tried.keys()


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (TrackerDown("timeout"), MIRROR_DOWN),
        (TrackerRefused(TrackerReason.WRONG_KEY, "401"), "wrong_key"),
        (TrackerRefused(TrackerReason.WRONG_WORKSPACE, "403"), "wrong_workspace"),
    ],
)
async def test_mirror_recovers_from_trouble_without_loss(mirror: MirrorDesk, error: TrackerError, trouble: str) -> None:
    question, _ = await mirror.ask()
    await mirror.press(question, "it")
    mirror.tracker.fail(3, error)
    for tries in range(1, 4):
        await mirror.mirror_all()
        assert await mirror.trouble() == trouble
        assert len(mirror.tracker.calls) == tries
        await mirror.mirror_all()  # the mirror is backing off
        assert len(mirror.tracker.calls) == tries
        assert await mirror.unsent() == 3
        mirror.clock.advance(seconds=WAIT)
    await mirror.mirror_all()
    assert not await mirror.trouble()
    assert await mirror.unsent() == 0
    assert [len(x) for x in (mirror.tracker.traces, mirror.tracker.feedback, mirror.tracker.rows)] == [1, 1, 1]


@pytest.mark.parametrize("call", range(6))
async def test_failure_at_any_call_duplicates_nothing(mirror: MirrorDesk, call: int) -> None:
    question, _ = await mirror.ask()
    await mirror.press(question, "it")
    mirror.tracker.fail_at = call
    for _ in range(3):
        await mirror.mirror_all()
        mirror.clock.advance(seconds=WAIT)
    assert len(mirror.tracker.calls) > call or call == 5
    assert await mirror.unsent() == 0
    assert [len(x) for x in (mirror.tracker.traces, mirror.tracker.feedback, mirror.tracker.rows)] == [1, 1, 1]


async def test_mirror_waits_as_long_as_asked(mirror: MirrorDesk) -> None:
    await mirror.ask()
    mirror.tracker.fail(1, TrackerDown("429", timedelta(minutes=20)))
    await mirror.mirror_all()
    mirror.clock.advance(minutes=19)
    await mirror.mirror_all()
    assert len(mirror.tracker.calls) == 1
    mirror.clock.advance(minutes=2)
    await mirror.mirror_all()
    assert len(mirror.tracker.traces) == 1


async def test_deleted_dataset_is_filled_again(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？"), row("PC", "it"))
    await mirror.mirror_all()
    mirror.tracker.delete_dataset()
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("税金は？"))
    await mirror.mirror_all()
    assert await mirror.trouble() == "dataset_gone"
    mirror.clock.advance(seconds=WAIT)
    await mirror.mirror_all()
    assert len(mirror.tracker.rows) == 3
    assert not await mirror.trouble()


async def test_rejected_row_does_not_block_the_rest(mirror: MirrorDesk, caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_of(Split.TRAIN, "labor", 9)
    mirror.tracker.spoiled = {rows[4].id}
    async with mirror.store.transaction() as tx:
        await tx.rows.put(*rows)
    await mirror.mirror_all()
    assert mirror.tracker.rows.keys() == {one.id for one in rows} - mirror.tracker.spoiled
    assert f"rejects row {rows[4].id}" in caplog.text
    assert rows[4].text not in caplog.text
    assert await mirror.unsent() == 0


async def test_feedback_on_missing_trace_sends_the_trace(mirror: MirrorDesk) -> None:
    question, _ = await mirror.ask()
    async with mirror.store.transaction() as tx:
        # As if asked before there was a mirror.
        await tx.outbox.remove(MIRROR_TOPIC, await tx.outbox.page(MIRROR_TOPIC, 0, 10))
    await mirror.press(question, "it")
    for _ in range(3):
        await mirror.mirror_all()
    assert only_feedback(mirror).category == "情シス"
    assert len(mirror.tracker.traces) == 1


async def test_feedback_is_dropped_when_trace_never_appears(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.ask()
    mirror.tracker.spoiled = {verdict.trace.hex}
    await mirror.press(question, "it")
    for _ in range(FEEDBACK_TRIES + 2):
        await mirror.mirror_all()
        mirror.clock.advance(seconds=WAIT)
    assert mirror.tracker.feedback == {}
    assert await mirror.unsent() == 0
    assert len(mirror.tracker.rows) == 1


async def test_rows_behind_pages_of_held_traces_are_sent(mirror: MirrorDesk) -> None:
    await mirror.mirror_all()
    mirror.tracker.fail_traces = True
    question, verdict = await mirror.ask()
    held = [(question.id, {"change": "verdict", "verdict": verdict.id}, mirror.clock.now())] * CHANGES_PER_PAGE
    async with mirror.store.transaction() as tx:
        await tx.outbox.add_all(MIRROR_TOPIC, held)
        await tx.rows.put(row("有給は？", row_id="a"))
    await mirror.mirror_all()
    assert mirror.tracker.rows.keys() == {"a"}


async def test_withheld_text_reaches_tracker_after_agreement(mirror: MirrorDesk) -> None:
    authors = (Author(id="U7", channel="C9", ts="1.0"),)
    asked = arrival().model_copy(update={"authors": authors, "audience": Audience.PUBLIC})
    await AnswerDesk(mirror.store, mirror.model, mirror.board, mirror.clock).ask(asked)
    async with mirror.store.transaction() as tx:
        question = await tx.questions.at("T1", "C1", "1.000100")
    assert question
    await mirror.press(question, "it")
    await mirror.mirror_all()
    (trace,) = mirror.tracker.traces.values()
    assert (trace.text, trace.reason, mirror.tracker.rows) == ("", None, {})
    assert len(mirror.tracker.feedback) == 1
    await Consenting(mirror.store, MemoryNeighbours(), mirror.clock).answer(question.id, "U7", agreed=True)
    await mirror.mirror_all()
    (copy,) = mirror.tracker.rows.values()
    assert copy.text == question.text
