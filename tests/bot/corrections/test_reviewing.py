"""The review queue, conflicts settled by one press, and the learning curve."""

from datetime import datetime, timedelta

import pytest

from bot.corrections.reviewing import QueueEntry
from bot.domain.audience import Audience
from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Export, Row, Source, Split, text_key
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.fold import OutOfFold
from bot.domain.gain import QueueReason
from bot.domain.question import Disclosure
from bot.domain.release import ModelName, Release, ReleaseState
from bot.domain.scorecard import Result
from bot.domain.shadow import Shadow
from bot.releases.releasing import Releasing, add_candidate
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, row, rows_of
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.plain_export import export
from tests.kits.review_desk import ReviewDesk


def result_of(row: Row, release_id: str, category: str, at: datetime) -> Result:
    return Result(
        release_id=release_id,
        text_key=text_key(row.text),
        category=category,
        confidence=0.5,
        latency_ms=1,
        tokens_in=1,
        tokens_out=1,
        at=at,
    )


def finetune_of(frozen: Export, at: datetime) -> Finetune:
    return Finetune(
        id="ft-1",
        student=BASE,
        dataset_id=frozen.manifest.id,
        prompt_id=PROMPT.id,
        estimate=Estimate(rows=frozen.manifest.rows, tokens=1, epochs=1, usd=None, price_date=None),
        state=FinetuneState.SUCCEEDED,
        requested_by="U9",
        language="ja",
        created_at=at,
        updated_at=at,
    )


@pytest.fixture
def desk(store: SqlStore, clock: StepClock, model: RuleModel) -> ReviewDesk:
    return ReviewDesk(store, clock, model)


async def add_many(desk: ReviewDesk, category: str) -> None:
    """Add enough training rows for a category not to be rare."""
    await desk.add(*(row(f"{category} {n}", category, row_id=f"{category}{n}") for n in range(40)))


async def test_settled_questions_leave_the_queue_until_undone(desk: ReviewDesk) -> None:
    one, other = await desk.ask("有給は何日前？"), await desk.ask("PCが壊れた")
    assert {key for key, _ in await desk.queue()} == {one, other}
    await desk.press(one, "labor")
    assert [key for key, _ in await desk.queue()] == [other]
    await desk.correcting.undo(one, 1, "U2")
    assert {key for key, _ in await desk.queue()} == {one, other}


async def test_queue_is_ordered_by_reason(desk: ReviewDesk) -> None:
    for category in ("labor", "it"):
        await add_many(desk, category)
    sample, rare = await desk.ask("有給の残り"), await desk.ask("食堂のメニュー")
    unsure, disagreed = await desk.ask("PCが遅い", 0.3), await desk.ask("PCが重い")
    near, new = await desk.ask("有給を取りたい"), await desk.ask("駐輪場はどこ")
    contested = [row("有給を取る", "labor", row_id="r1"), row("有給を取る！", "it", row_id="r2")]
    await desk.add(
        *contested, row("有給の残り日数", "labor", row_id="r3"), row("食堂のメニューの種類", "other", row_id="r4")
    )
    async with desk.store.transaction() as tx:
        now = desk.clock.now()
        shadow = Release(
            id="shadow", model=BASE, prompt_id=PROMPT.id, state=ReleaseState.SHADOW, created_at=now, recall=3
        )
        await tx.releases.add(shadow, "U9", "shadow")
        for question, answered in ((disagreed, "labor"), (sample, "labor")):
            await tx.shadows.put(
                Shadow(
                    question_id=question,
                    release_id=shadow.id,
                    category=answered,
                    confidence=0.9,
                    tokens_in=1,
                    tokens_out=1,
                    at=now,
                )
            )
    assert await desk.queue() == [
        (contested[0].group, QueueReason.CONFLICT),
        (disagreed, QueueReason.DISAGREE),
        (unsure, QueueReason.UNSURE),
        (new, QueueReason.NEW),
        (near, QueueReason.NEAR_CONFLICT),
        (rare, QueueReason.RARE),
        (sample, QueueReason.RANDOM),
    ]
    page = await desk.reviewing.page(1, 2)
    assert [(one.key, one.shadow) for one in page.entries] == [(disagreed, "labor"), (unsure, None)]
    assert (page.offset, page.waiting) == (1, 7)
    assert await desk.reviewing.waiting() == 7
    assert (await desk.reviewing.page(99, 2)).offset == 0


async def test_one_page_asks_alike_questions_once(desk: ReviewDesk) -> None:
    passwords = [
        await desk.ask(f"パスワードを忘れました。{name}です", 0.3) for name in ("田中", "鈴木", "佐藤", "高橋")
    ]
    others = [await desk.ask(text, 0.6) for text in ("有給の残りを知りたい", "食堂のメニュー", "名刺を刷りたい")]
    listed = [key for key, _ in await desk.queue()]
    assert len({*listed[:4]} & {*passwords}) == 1
    assert {*listed[:4]} > {*others}
    await desk.press(next(key for key in listed if key in passwords), "it")
    assert {*(await desk.queue())[-1][:1]} <= {*passwords}


async def test_channel_sees_public_and_own_questions_only(desk: ReviewDesk) -> None:
    public = await desk.ask("有給の残り", audience=Audience.PUBLIC)
    private = await desk.ask("有給を全部使う", channel="C9", audience=Audience.PRIVATE)
    direct = await desk.ask("有給を半分使う", channel="D1", audience=Audience.DIRECT)
    unknown = await desk.ask("有給を少し使う", channel="C8")
    assert {key for key, _ in await desk.queue()} == {public, private, unknown}
    async with desk.store.transaction() as tx:
        await tx.questions.disclose(direct, Disclosure.NAMED, desk.clock.now())
    assert {key for key, _ in await desk.queue()} == {public, private, direct, unknown}
    assert [key for key, _ in await desk.queue("C1")] == [public]
    assert {key for key, _ in await desk.queue("C9")} == {public, private}
    hidden = row("給料", "labor", row_id="r1").model_copy(update={"channel": "C9", "audience": Audience.PRIVATE})
    await desk.add(hidden, row("給料？", "it", row_id="r2"))
    conflict = (hidden.group, QueueReason.CONFLICT)
    assert conflict in await desk.queue()
    assert conflict in await desk.queue("C9")
    assert [key for key, _ in await desk.queue("C1")] == [public]
    assert (await desk.reviewing.waiting(shown_in="C1"), await desk.reviewing.waiting()) == (1, 5)


async def test_settled_conflict_names_its_person(desk: ReviewDesk) -> None:
    one, other = await desk.ask("有給は何日前？"), await desk.ask("有給は何日前")
    await desk.press(one, "labor", "U2")
    await desk.press(other, "it", "U3")
    imported = row("有給は何日前!", "it", row_id="import:1", reason="端末の話だから").model_copy(
        update={"source": Source.IMPORT, "by": "import", "origin": "faq.csv"}
    )
    await desk.add(imported)
    ((group, why),) = await desk.queue()
    assert why is QueueReason.CONFLICT
    (entry,) = (await desk.reviewing.page(0, 6)).entries
    assert entry.open
    assert {(r.category, r.by) for r in entry.rows} == {("labor", "U2"), ("it", "U3"), ("it", "import")}
    desk.clock.advance(minutes=1)
    await desk.reviewing.settle_conflict(group, "labor", "U4")
    rows = {r.id: r for r in await desk.group(group)}
    assert {r.category for r in rows.values()} == {"labor"}
    assert (rows[one].by, rows[other].by) == ("U2", "U4"), "a row with the right category keeps its author"
    settled_import = rows["import:1"]
    assert settled_import.reason is None, "the old reason argues for the old category"
    assert (settled_import.by, settled_import.source, settled_import.origin) == ("U4", Source.CHANGE, "faq.csv")
    assert settled_import.settled_at == desk.clock.now()
    async with desk.store.transaction() as tx:
        assert [(c.kind, c.by) for c in await tx.corrections.of(other)] == [
            (CorrectionKind.CHANGE, "U3"),
            (CorrectionKind.AGREE, "U4"),
        ]
        assert (await tx.outbox.lag(desk.clock.now()))[1] >= timedelta(0)
    assert await desk.queue() == []
    (settled,) = await desk.reviewing.entries([QueueEntry(key=group, why=why)])
    assert not settled.open


async def test_settled_conflict_or_unknown_category_is_refused(desk: ReviewDesk) -> None:
    one = row("有給", "labor", row_id="r1")
    await desk.add(one, row("有給？", "it", row_id="r2"))
    with pytest.raises(Refused) as unknown:
        await desk.reviewing.settle_conflict(one.group, "gone", "U2")
    assert unknown.value.reason is Reason.UNKNOWN_CATEGORY
    await desk.reviewing.settle_conflict(one.group, "it", "U2")
    with pytest.raises(Refused) as refused:
        await desk.reviewing.settle_conflict(one.group, "labor", "U3")
    assert refused.value.reason is Reason.SETTLED_MEANWHILE
    assert {r.category for r in await desk.group(one.group)} == {"it"}


async def test_progress_uses_rows_that_all_releases_answered(desk: ReviewDesk) -> None:
    held = rows_of(Split.HELD_OUT, "labor", 6) + rows_of(Split.HELD_OUT, "it", 6)
    await desk.add(*held, *rows_of(Split.TRAIN, "labor", 30), *rows_of(Split.TRAIN, "it", 3))
    empty = await desk.reviewing.progress()
    assert (empty.points, empty.curve, empty.trainable) == ((), None, 33)
    assert [(need.category, need.more) for need in empty.needs] == [("other", 20), ("it", 17)]
    async with desk.store.transaction() as tx:
        serving = await tx.releases.serving()
        assert serving
        answered = [result_of(one, serving.id, "labor", desk.clock.now()) for one in held]
        await tx.results.put(answered[:9])
        other = serving.model_copy(update={"id": "other", "state": ReleaseState.CANDIDATE})
        await tx.releases.add(other, "U9", "trained")
        # A release of another prompt belongs to another curve.
        await tx.prompts.put(other_prompt := PROMPT.changed(template="短く答える。"))
        unrelated = serving.model_copy(
            update={
                "id": "unrelated",
                "state": ReleaseState.CANDIDATE,
                "prompt_id": other_prompt.id,
                "finetune_id": None,
            }
        )
        await tx.releases.add(unrelated, "U9", "prompt")
        await tx.results.put([a.model_copy(update={"release_id": "unrelated"}) for a in answered[4:]])
        right = zip(answered[2:], held[2:], strict=True)
        await tx.results.put([a.model_copy(update={"release_id": "other", "category": r.category}) for a, r in right])
    state = await desk.reviewing.progress()
    assert [(point.right, point.of) for point in state.points] == [(7, 7)], (
        "releases with the same number of rows are one point"
    )
    assert state.curve is None
    assert {need.category: need.recall for need in state.needs} == {"other": None, "it": None}
    # Rows that are in a conflict by now, or stand in the prompt, are no longer measured.
    await desk.add(row(held[4].text + "！", "it", row_id="contradicts").model_copy(update={"group": held[4].group}))
    shown = held[5].model_copy(update={"text": f"{PROMPT.examples[0]}！"})
    await desk.add(shown)
    async with desk.store.transaction() as tx:
        again = answered[5].model_copy(update={"text_key": text_key(shown.text)})
        await tx.results.put([again, again.model_copy(update={"release_id": "other"})])
    assert [(point.right, point.of) for point in (await desk.reviewing.progress()).points] == [(5, 5)]


async def test_curve_counts_out_of_fold_answers(desk: ReviewDesk) -> None:
    held, taught = rows_of(Split.HELD_OUT, "it", 4), rows_of(Split.TRAIN, "it", 20)
    await desk.add(*held, *taught)
    now, releasing = desk.clock.now(), Releasing(desk.store, desk.clock)
    serving = await releasing.serving()
    frozen = export(taught, PROMPT)
    tuned_model = ModelName(provider="local", model="ft:new")
    told = [
        OutOfFold(finetune_id="ft-1", row_id=one.id, fold=n % 5, category="it", confidence=0.9, apart=n > 0)
        for n, one in enumerate(taught)
    ]
    async with desk.store.transaction() as tx:
        await tx.datasets.put(frozen.manifest, now)
        await tx.finetunes.add(finetune_of(frozen, now).model_copy(update={"model": tuned_model}))
        await tx.finetunes.save_rows("ft-1", {one.id: one.text for one in taught})
        await tx.finetunes.save_out_of_fold(told)
        tuned = await add_candidate(tx, now, tuned_model, prompt_id=PROMPT.id, by="U9", why="", finetune_id="ft-1")
        await tx.results.put([result_of(one, serving.id, "other", now) for one in [*held, *taught]])
        await tx.results.put(
            [result_of(one, tuned.id, "it" if one in taught else "other", now) for one in [*held, *taught]]
        )
    points = (await desk.reviewing.progress()).points
    assert [(point.trained, point.right, point.of) for point in points] == [(0, 0, 23), (20, 19, 23)]


async def test_needs_depend_on_the_serving_releases_training_rows(desk: ReviewDesk) -> None:
    """A release that was trained on no rows gives no forecast, however many rows there are by now."""
    held = rows_of(Split.HELD_OUT, "it", 8)
    taught = rows_of(Split.TRAIN, "it", 22)
    await desk.add(*held, *taught, *rows_of(Split.TRAIN, "labor", 20), *rows_of(Split.TRAIN, "other", 20))
    frozen = export(taught, PROMPT)
    now, releasing = desk.clock.now(), Releasing(desk.store, desk.clock)
    untaught = await releasing.recalling((await releasing.serving()).id, 0, "U9")
    serving = await releasing.switch(untaught.id, "U9")
    async with desk.store.transaction() as tx:
        some = [result_of(one, serving.id, "it" if n < 5 else "labor", now) for n, one in enumerate(held)]
        await tx.results.put(some)
    assert (await desk.reviewing.progress()).needs == ()
    async with desk.store.transaction() as tx:
        await tx.datasets.put(frozen.manifest, now)
        await tx.finetunes.add(finetune_of(frozen, now))
        tuned = await add_candidate(tx, now, BASE, prompt_id=PROMPT.id, by="U9", why="", finetune_id="ft-1")
        await tx.results.put([one.model_copy(update={"release_id": tuned.id}) for one in some])
    await releasing.switch(tuned.id, "U9")
    (need,) = (await desk.reviewing.progress()).needs
    assert (need.category, need.recall, need.more) == ("it", 0.625, round(22 * 3.75**2) - 22)
