"""The mirror shows what is in the record: all of it, in order, once; and waits when the tracker is in trouble."""

from datetime import timedelta

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Split
from bot.domain.errors import TrackerDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.finetune import FinetuneState
from bot.domain.mirror import Feedback, Purpose
from bot.domain.mirrored import MIRROR_DOWN, MIRROR_TOPIC
from bot.domain.shadow import Shadow
from bot.mirror.inbound import MirrorInbound
from bot.mirror.outbound import CHANGES_PER_PAGE, SAYINGS
from bot.releases.releasing import Releasing
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, row, rows_of
from tests.kits.fakes import KeptNeighbours
from tests.kits.mirror_desk import WAIT, MirrorDesk
from tests.storage.things import finetune, manifest


async def test_a_verdict_becomes_a_trace_under_its_own_id(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.asked("有給は何日前？ 03-1234-5678")
    await mirror.rounds()
    (trace,) = mirror.tracker.traces.values()
    assert (trace.id, trace.purpose, trace.about) == (verdict.trace, Purpose.SERVING, question.id)
    assert (trace.category, trace.reason, trace.model, trace.prompt_id) == ("労務", verdict.reason, BASE, PROMPT.id)
    assert (trace.tokens_in, trace.usd is not None) == (verdict.tokens_in, True)
    assert trace.text == question.text
    assert "1234" not in trace.text
    assert await mirror.lag() == 0


async def test_a_shadows_answer_is_a_trace_of_its_own(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.asked()
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
    await mirror.rounds()
    serving, shown = sorted(mirror.tracker.traces.values(), key=lambda trace: trace.purpose)
    assert (serving.purpose, shown.purpose, shown.category) == (Purpose.SERVING, Purpose.SHADOW, "情シス")
    assert shown.id.version == 7


async def test_corrections_become_feedback_of_which_the_newest_stays(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.asked()
    await mirror.pressed(question, "it")
    await mirror.rounds()
    first = only(mirror)
    assert (first.kind, first.category, first.trace_id) == (CorrectionKind.CHANGE, "情シス", verdict.trace)
    assert "U2" not in first.by
    await Correcting(mirror.store, KeptNeighbours(), mirror.clock).undo(question.id, 1, "U2")
    await mirror.pressed(question, "labor", seen=2, by="U3")
    await mirror.rounds()
    last = only(mirror)
    assert (last.kind, last.category) == (CorrectionKind.AGREE, "労務")
    assert last.by != first.by
    other, _ = await mirror.asked("PC が遅い", n=2)
    await mirror.pressed(other, "it")
    await mirror.another().mirror()
    assert {one.by for one in mirror.tracker.feedback.values()} == {first.by, last.by}


def only(mirror: MirrorDesk) -> Feedback:
    (one,) = mirror.tracker.feedback.values()
    return one


async def test_rows_are_copied_as_the_training_file_has_them(mirror: MirrorDesk) -> None:
    question, _ = await mirror.asked()
    await mirror.pressed(question, "it")
    await mirror.rounds()
    (copy,) = mirror.tracker.rows.values()
    assert (copy.row_id, copy.system, copy.category) == (question.id, PROMPT.text, "情シス")
    await Correcting(mirror.store, KeptNeighbours(), mirror.clock).undo(question.id, 1, "U2")
    await mirror.rounds()
    assert mirror.tracker.rows == {}


async def test_what_was_there_before_is_filled_in_by_pages(mirror: MirrorDesk) -> None:
    rows = rows_of(Split.TRAIN, "labor", CHANGES_PER_PAGE + 10)
    async with SqlStore(mirror.store._database).transaction() as tx:
        await tx.rows.put(*rows, row("誰のもの？", "retired", row_id="zz"))
    assert await mirror.lag() == 0
    await mirror.mirroring.mirror()
    assert len(mirror.tracker.rows) == CHANGES_PER_PAGE
    assert not (await mirror.state()).filled
    mirror.mirroring = mirror.another()
    await mirror.rounds()
    assert mirror.tracker.rows.keys() == {one.id for one in rows}
    assert max(n for verb, n in mirror.tracker.calls if verb == "put_rows") == CHANGES_PER_PAGE
    assert (await mirror.state()).filled
    sent = len(mirror.tracker.calls)
    await mirror.rounds()
    assert len(mirror.tracker.calls) == sent


async def test_what_gets_through_again_is_told_before_all_is_there(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.TRAIN, "labor", CHANGES_PER_PAGE + 1))
        await tx.outbox.remove([note.id for note in await tx.outbox.page(MIRROR_TOPIC, 0, CHANGES_PER_PAGE + 1)])
    mirror.tracker.fail(1)
    await mirror.mirroring.mirror()
    assert await mirror.trouble() == MIRROR_DOWN
    mirror.clock.advance(seconds=WAIT)
    await mirror.mirroring.mirror()
    assert not (await mirror.state()).filled
    assert await mirror.trouble() is None


async def test_rows_that_changed_while_there_was_no_mirror_are_noted_at_the_next_start(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？", row_id="a"), row("PC", row_id="b"))
    await mirror.mirroring.resume()
    await mirror.rounds()
    mirror.clock.advance(hours=1)
    await mirror.rounds()
    async with SqlStore(mirror.store._database).transaction() as off:
        await off.rows.put(row("税", row_id="c", at=7_200))
        await off.rows.withdraw("a", mirror.clock.now())
    await mirror.rounds()
    assert mirror.tracker.rows.keys() == {"a", "b"}
    await mirror.another().resume()
    assert await mirror.lag() == 2
    await mirror.rounds()
    assert mirror.tracker.rows.keys() == {"b", "c"}


async def test_under_another_prompt_all_rows_are_shown_again(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？"), row("PC", "it"))
    await mirror.rounds()
    prompt = PROMPT.changed(template="別の文章です。", categories=[c for c in PROMPT.categories if c.id != "it"])
    mirror.clock.advance(seconds=1)
    await Releasing(mirror.store, mirror.clock).ensure(prompt, BASE)
    await mirror.rounds()
    assert {copy.system for copy in mirror.tracker.rows.values()} == {prompt.text}
    assert {copy.category for copy in mirror.tracker.rows.values()} == {"労務"}


async def test_a_confirmed_fine_tunes_rows_are_a_version(mirror: MirrorDesk) -> None:
    planned = finetune().model_copy(update={"prompt_id": PROMPT.id})
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？", row_id="a"), row("PC", "it", row_id="b"), row("税", row_id="c"))
        await tx.datasets.put(manifest().model_copy(update={"prompt_id": PROMPT.id}), mirror.clock.now())
        await tx.finetunes.add(planned)
        await tx.finetunes.save_rows(planned.id, {"a": "a", "b": "b"})
        confirmed = planned.model_copy(update={"state": FinetuneState.CONFIRMED})
        assert await tx.finetunes.advance(confirmed, FinetuneState.PLANNED)
        await tx.rows.withdraw("a", mirror.clock.now())
    await mirror.rounds()
    assert mirror.tracker.tags[planned.id].keys() <= {"a", "b"}
    assert mirror.tracker.rows.keys() == {"b", "c"}


async def test_a_new_dataset_gets_the_versions_of_earlier_fine_tunes_too(mirror: MirrorDesk) -> None:
    """After it was deleted over there, and where there was no mirror when they were confirmed."""
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
        await mirror.rounds()
        assert {tag: [*rows] for tag, rows in mirror.tracker.tags.items()} == {trained.id: ["a"]}
        mirror.tracker.delete_dataset()
        mirror.tracker.tags.clear()
        assert await mirror.mirroring.mirror() is False
        await receive_nothing(mirror)
        mirror.clock.advance(seconds=WAIT)


async def receive_nothing(mirror: MirrorDesk) -> None:
    """It is how a dataset that is gone is noticed on a quiet day."""
    correcting = Correcting(mirror.store, KeptNeighbours(), mirror.clock)
    assert await MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, []).receive() == 0


async def test_a_version_that_is_told_late_holds_no_row_that_was_changed_since(mirror: MirrorDesk) -> None:
    """LangSmith's export of it never says what was not trained on."""
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
    await mirror.rounds()
    assert mirror.tracker.tags[planned.id].keys() == {"a"}
    assert mirror.tracker.rows["b"].category == "労務"


async def test_an_evaluation_becomes_an_experiment_on_a_version_with_the_held_out_rows(mirror: MirrorDesk) -> None:
    held_out = rows_of(Split.HELD_OUT, "labor", 3)
    mirror.model.rules = {"labor": "labor"}
    async with mirror.store.transaction() as tx:
        await tx.rows.put(*held_out)
        release = await tx.releases.serving()
    assert release
    await mirror.judges.evaluate(release)
    await mirror.mirroring.evaluated(release)
    await mirror.rounds()
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
async def test_in_trouble_nothing_is_lost_and_it_goes_on_by_itself(
    mirror: MirrorDesk, error: TrackerError, trouble: str
) -> None:
    question, _ = await mirror.asked()
    await mirror.pressed(question, "it")
    mirror.tracker.fail(3, error)
    for tries in range(1, 4):
        await mirror.rounds()
        assert await mirror.trouble() == trouble
        assert len(mirror.tracker.calls) == tries
        await mirror.rounds()  # it keeps quiet meanwhile
        assert len(mirror.tracker.calls) == tries
        assert await mirror.lag() == 3
        mirror.clock.advance(seconds=WAIT)
    await mirror.rounds()
    assert not await mirror.trouble()
    assert await mirror.lag() == 0
    assert [len(x) for x in (mirror.tracker.traces, mirror.tracker.feedback, mirror.tracker.rows)] == [1, 1, 1]


@pytest.mark.parametrize("call", range(6))
async def test_a_failure_at_any_call_repeats_what_may_be_repeated_and_doubles_nothing(
    mirror: MirrorDesk, call: int
) -> None:
    question, _ = await mirror.asked()
    await mirror.pressed(question, "it")
    mirror.tracker.fail_at = call
    for _ in range(3):
        await mirror.rounds()
        mirror.clock.advance(seconds=WAIT)
    assert len(mirror.tracker.calls) > call or call == 5
    assert await mirror.lag() == 0
    assert [len(x) for x in (mirror.tracker.traces, mirror.tracker.feedback, mirror.tracker.rows)] == [1, 1, 1]


async def test_it_waits_as_long_as_it_was_asked_to(mirror: MirrorDesk) -> None:
    await mirror.asked()
    mirror.tracker.fail(1, TrackerDown("429", timedelta(minutes=20)))
    await mirror.rounds()
    mirror.clock.advance(minutes=19)
    await mirror.rounds()
    assert len(mirror.tracker.calls) == 1
    mirror.clock.advance(minutes=2)
    await mirror.rounds()
    assert len(mirror.tracker.traces) == 1


async def test_a_dataset_that_was_deleted_over_there_is_filled_again(mirror: MirrorDesk) -> None:
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("有給は？"), row("PC", "it"))
    await mirror.rounds()
    mirror.tracker.delete_dataset()
    async with mirror.store.transaction() as tx:
        await tx.rows.put(row("税金は？"))
    await mirror.rounds()
    assert await mirror.trouble() == "dataset_gone"
    mirror.clock.advance(seconds=WAIT)
    await mirror.rounds()
    assert len(mirror.tracker.rows) == 3
    assert not await mirror.trouble()


async def test_what_is_never_taken_does_not_hold_up_the_rest(
    mirror: MirrorDesk, caplog: pytest.LogCaptureFixture
) -> None:
    rows = rows_of(Split.TRAIN, "labor", 9)
    mirror.tracker.spoiled = {rows[4].id}
    async with mirror.store.transaction() as tx:
        await tx.rows.put(*rows)
    await mirror.rounds()
    assert mirror.tracker.rows.keys() == {one.id for one in rows} - mirror.tracker.spoiled
    assert f"row {rows[4].id} is not taken" in caplog.text
    assert rows[4].text not in caplog.text
    assert await mirror.lag() == 0


async def test_feedback_on_a_trace_that_is_not_there_yet_brings_it_along(mirror: MirrorDesk) -> None:
    question, _ = await mirror.asked()
    async with mirror.store.transaction() as tx:
        await tx.outbox.remove(
            [note.id for note in await tx.outbox.page(MIRROR_TOPIC, 0, 10)]
        )  # before there was a mirror
    await mirror.pressed(question, "it")
    for _ in range(3):
        await mirror.rounds()
    assert only(mirror).category == "情シス"
    assert len(mirror.tracker.traces) == 1


async def test_feedback_whose_trace_is_never_found_is_given_up(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.asked()
    mirror.tracker.spoiled = {verdict.trace.hex}
    await mirror.pressed(question, "it")
    for _ in range(SAYINGS + 2):
        await mirror.rounds()
        mirror.clock.advance(seconds=WAIT)
    assert mirror.tracker.feedback == {}
    assert await mirror.lag() == 0
    assert len(mirror.tracker.rows) == 1
