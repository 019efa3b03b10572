"""Prompts: versions by content, edits that do not serve yet, retired categories and their rows."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.corrections.correcting import Correcting
from bot.current_prompt import configure
from bot.domain.correction import CorrectionKind, Press
from bot.domain.dataset import Row, Source, Split
from bot.domain.errors import Reason, Refused
from bot.domain.prompt import LONG_PROMPT_TOKENS, Category, Prompt, PromptWhy, difference, id_for
from bot.domain.release import Release, ReleaseState
from bot.finetunes.budget import Spending
from bot.finetunes.status import Reporting
from bot.ports import Store
from bot.providers.tokens import OfflineEstimator
from bot.questions.cards import card_of
from bot.releases.prompting import ROWS_SHOWN, PromptChange, Prompting
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, arrival, rows_of
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, FakeTrainer
from tests.kits.finetune_bench import FinetuneBench
from tests.kits.plain_export import export

LABOR, IT, OTHER = PROMPT.categories
NEW_RULE = LABOR.model_copy(update={"rule": "休みのことは労務"})
LEGAL = Category(id="new", name="法務 Legal", rule="契約は法務")


@pytest.fixture
def prompting(store: SqlStore, clock: StepClock) -> Prompting:
    return Prompting(store, OfflineEstimator(), clock)


async def releases(store: Store) -> list[Release]:
    async with store.transaction() as tx:
        return await tx.releases.all()


async def restart(store: Store, clock: StepClock, folder: Prompt) -> None:
    await Releasing(store, clock).ensure(folder, BASE)


async def edit_rule(prompting: Prompting) -> PromptChange:
    return await prompting.save(PROMPT.id, NEW_RULE, "U9")


# --- versions


async def test_changed_text_becomes_a_candidate_not_serving(prompting: Prompting, store: SqlStore) -> None:
    saved = await edit_rule(prompting)
    assert saved.candidate is not None
    assert saved.candidate.state is ReleaseState.CANDIDATE
    assert (saved.candidate.model, saved.candidate.prompt_id) == (BASE, saved.shown.prompt.id)
    assert saved.shown.prompt.category("labor") == NEW_RULE
    assert (saved.shown.serves, saved.shown.event.why, saved.shown.event.by) == (False, PromptWhy.EDITED, "U9")
    assert (await prompting.served()).id == PROMPT.id
    assert len(await releases(store)) == 2


async def test_reverted_edit_restores_first_version_without_new_release(prompting: Prompting, store: SqlStore) -> None:
    edit = await edit_rule(prompting)
    back = await prompting.save(edit.shown.prompt.id, LABOR, "U9")
    assert back.shown.prompt.id == PROMPT.id
    assert back.shown.serves
    await prompting.save(PROMPT.id, NEW_RULE, "U9")
    assert len(await releases(store)) == 2
    assert [(v.prompt.id == PROMPT.id, v.current) for v in await prompting.versions()] == [(False, True), (True, False)]


async def test_owners_and_guides_change_at_once_everywhere(
    prompting: Prompting, store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock
) -> None:
    first = await edit_rule(prompting)
    contact = NEW_RULE.model_copy(update={"owner": "U7", "guide": "まず見る"})
    saved = await prompting.save(first.shown.prompt.id, contact, "U9")
    assert saved.candidate is None
    assert saved.shown.prompt.id == first.shown.prompt.id
    await AnswerDesk(store, model, board, clock).ask(arrival())
    ((card,),) = board.cards.values()
    assert card.category is not None
    assert (card.category.owner, card.category.guide, card.category.rule) == ("U7", "まず見る", LABOR.rule)


async def test_edit_survives_restart_until_the_folder_changes(
    prompting: Prompting, store: SqlStore, clock: StepClock
) -> None:
    saved = await edit_rule(prompting)
    await restart(store, clock, PROMPT)
    assert (await prompting.current()).id == saved.shown.prompt.id
    folder = PROMPT.changed(template="新しい指示")
    await restart(store, clock, folder)
    assert await prompting.current() == folder
    await restart(store, clock, folder)
    assert [e.prompt.id for e in await prompting.versions()] == [folder.id, saved.shown.prompt.id, PROMPT.id]


async def test_new_owners_in_folder_keep_the_edited_text(
    prompting: Prompting, store: SqlStore, clock: StepClock
) -> None:
    saved = await edit_rule(prompting)
    await restart(store, clock, PROMPT.with_default_owner("S5"))
    current = await prompting.current()
    assert current.id == saved.shown.prompt.id
    assert [c.owner for c in current.categories] == ["S5"] * 3
    taken_off = current.categories[0].model_copy(update={"owner": None})
    await prompting.save(current.id, taken_off, "U9")
    await restart(store, clock, PROMPT.with_default_owner("S5"))
    assert [c.owner for c in (await prompting.current()).categories] == [None, "S5", "S5"]


async def test_change_is_refused_when_prompt_changed_meanwhile(prompting: Prompting) -> None:
    await edit_rule(prompting)
    for change in (
        prompting.save(PROMPT.id, LABOR, "U8"),
        prompting.add(PROMPT.id, LEGAL, "U8"),
        prompting.rewrite(PROMPT.id, "別の指示", "U8"),
        prompting.retire(PROMPT.id, "it", None, "U8"),
    ):
        with pytest.raises(Refused) as refused:
            await change
        assert refused.value.reason is Reason.PROMPT_CHANGED


async def test_second_category_of_one_name_is_refused(prompting: Prompting) -> None:
    for change in (
        prompting.save(PROMPT.id, LABOR.model_copy(update={"name": "情シス"}), "U9"),
        prompting.add(PROMPT.id, LEGAL.model_copy(update={"name": "情シス"}), "U9"),
    ):
        with pytest.raises(Refused) as refused:
            await change
        assert refused.value.reason is Reason.NAME_TAKEN
    assert await prompting.current() == PROMPT


async def test_version_is_found_by_start_of_its_id(prompting: Prompting) -> None:
    new = (await edit_rule(prompting)).shown.prompt
    assert await prompting.named(new.id[:12]) == new
    diff = difference(PROMPT, new)
    assert "-有給や休暇は" in diff
    assert "+休みのことは労務" in diff
    assert difference(new, new) == ""
    for name in ("", "zz"):
        with pytest.raises(Refused) as refused:
            await prompting.named(name)
        assert refused.value.reason is Reason.UNKNOWN_PROMPT


async def test_long_prompt_is_marked_as_long(prompting: Prompting) -> None:
    assert not (await prompting.shown()).long
    saved = await prompting.rewrite(PROMPT.id, "word " * (LONG_PROMPT_TOKENS + 1), "U9")
    assert saved.shown.long
    assert saved.shown.tokens > LONG_PROMPT_TOKENS


# --- exports and fine-tunes


async def test_plans_use_the_prompt_current_when_made(
    prompting: Prompting, store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock
) -> None:
    bench = FinetuneBench(store, shelf, trainer, clock)
    before = await bench.planned()
    saved = await edit_rule(prompting)
    after, frozen = await bench.acts.planning.plan("U9", "ja")
    assert before.prompt_id == PROMPT.id
    assert after.prompt_id == frozen.manifest.prompt_id == saved.shown.prompt.id
    assert "休みのことは労務" in frozen.data.decode()


async def test_edit_under_fine_tune_makes_base_model_candidate(
    prompting: Prompting, store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock
) -> None:
    bench = FinetuneBench(store, shelf, trainer, clock)
    await bench.running()
    trainer.set_status("job-0", "succeeded", "ft:base:1")
    await bench.acts.following.follow()
    (tuned,) = await bench.candidates()
    async with store.transaction() as tx:
        serving = await tx.releases.serving()
        assert serving is not None
        await tx.releases.enter(serving.id, ReleaseState.RETIRED, "U9", "test", clock.now())
        await tx.releases.enter(tuned.id, ReleaseState.SERVING, "U9", "test", clock.now())
    reporting = Reporting(store, clock, Spending(OfflineEstimator(), clock), RowNeighbours(store))
    assert (await reporting.status()).unfit == []
    saved = await edit_rule(prompting)
    assert saved.candidate is not None
    assert (saved.candidate.model, saved.candidate.finetune_id) == (BASE, None)
    status = await reporting.status()
    assert [release.id for release in status.unfit] == [tuned.id]
    assert (status.current.id, status.prompt.id) == (saved.shown.prompt.id, PROMPT.id)


# --- new and retired categories


async def test_new_category_precedes_catch_all_with_own_id(prompting: Prompting) -> None:
    saved = await prompting.add(PROMPT.id, LEGAL, "U9")
    assert [c.id for c in saved.shown.prompt.categories] == ["labor", "it", "法務_legal", "other"]


async def test_retired_category_returns_with_its_rows(prompting: Prompting, store: SqlStore) -> None:
    await store_rows(store, "it", 3)
    gone = await prompting.retire(PROMPT.id, "it", None, "U9")
    assert (gone.shown.retired, gone.moved) == ({"情シス": 3}, 0)
    back = await prompting.add(gone.shown.prompt.id, Category(id="new", name="情シス"), "U9")
    assert back.shown.retired == {}
    assert back.shown.prompt.category("it") is not None


async def store_rows(store: Store, category: str, n: int) -> None:
    async with store.transaction() as tx:
        for row in rows_of(Split.TRAIN, category, n):
            await tx.rows.put(row.model_copy(update={"source": Source.IMPORT, "origin": "old.csv", "reason": "古い"}))


async def test_retired_rows_are_not_exported_until_moved(
    prompting: Prompting, store: SqlStore, clock: StepClock
) -> None:
    await store_rows(store, "it", 3)
    gone = await prompting.retire(PROMPT.id, "it", None, "U9")

    async def rows() -> list[Row]:
        async with store.transaction() as tx:
            return [row async for row in tx.rows.all()]

    left = export(await rows(), gone.shown.prompt).manifest
    assert (left.rows, left.left_out) == (0, {"unknown_category": 3})
    clock.advance(minutes=1)
    moved = await prompting.move("it", "labor", "U9")
    assert (moved.moved, moved.candidate, moved.shown.retired) == (3, None, {})
    after = await rows()
    assert {(r.category, r.by, r.settled_at, r.source, r.origin, r.reason) for r in after} == {
        ("labor", "U9", clock.now(), Source.CHANGE, "old.csv", None)
    }
    assert export(after, moved.shown.prompt).manifest.rows == 3


async def test_moved_row_of_a_question_adds_a_correction(
    prompting: Prompting, store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock
) -> None:
    desk = AnswerDesk(store, model, board, clock)
    await desk.ask(arrival("PCが動かない"))
    (question,) = board.cards
    await Correcting(store, MemoryNeighbours(), clock).settle(
        Press(question_id=question, category=None, seen=0, by="U2")
    )
    legal = (await prompting.add(PROMPT.id, LEGAL, "U9")).shown.prompt
    await prompting.retire(legal.id, "it", "法務_legal", "U9")
    assert (await prompting.move("it", "法務_legal", "U9")).moved == 1
    async with store.transaction() as tx:
        asked = await tx.questions.get(question)
        card = await card_of(tx, asked) if asked else None
        corrections = await tx.corrections.of(question)
        row = await tx.rows.get(question)
        waiting, _ = await tx.outbox.lag(clock.now() + timedelta(minutes=1))
    assert [(c.seq, c.kind, c.category, c.by) for c in corrections] == [
        (1, CorrectionKind.AGREE, "it", "U2"),
        (2, CorrectionKind.CHANGE, "法務_legal", "U9"),
    ]
    assert row is not None
    assert (row.category, row.by) == ("法務_legal", "U9")
    assert card is not None
    assert card.category is not None
    assert card.category.name == LEGAL.name
    assert waiting >= 2


async def test_only_rows_of_the_category_are_moved(
    prompting: Prompting, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.releases.prompting.MOVED_PER_TRANSACTION", 3)
    await store_rows(store, "it", 7)
    await store_rows(store, "other", 2)
    leaving = await prompting.leaving("it")
    assert (leaving.rows, len(leaving.texts)) == (7, ROWS_SHOWN)
    await prompting.retire(PROMPT.id, "it", "labor", "U9")
    assert (await prompting.move("it", "labor", "U9")).moved == 7
    assert (await prompting.move("it", "labor", "U9")).moved == 0
    async with store.transaction() as tx:
        assert await tx.rows.counts() == {("labor", Split.TRAIN): 7, ("other", Split.TRAIN): 2}
    with pytest.raises(Refused) as refused:
        await prompting.move("other", "it", "U9")
    assert refused.value.reason is Reason.UNKNOWN_CATEGORY


@pytest.mark.parametrize(
    ("category", "into", "reason"),
    [
        ("other", None, Reason.CATEGORY_KEPT),
        ("it", "it", Reason.UNKNOWN_CATEGORY),
        ("it", "nowhere", Reason.UNKNOWN_CATEGORY),
    ],
)
async def test_retiring_is_refused_when_not_possible(
    prompting: Prompting, category: str, into: str | None, reason: Reason
) -> None:
    with pytest.raises(Refused) as refused:
        await prompting.retire(PROMPT.id, category, into, "U9")
    assert refused.value.reason is reason
    assert await prompting.current() == PROMPT


async def test_last_two_categories_cannot_be_retired(prompting: Prompting) -> None:
    saved = await prompting.retire(PROMPT.id, "it", None, "U9")
    with pytest.raises(Refused) as refused:
        await prompting.leaving("労務")
    assert refused.value.reason is Reason.CATEGORY_KEPT
    with pytest.raises(Refused):
        await prompting.retire(saved.shown.prompt.id, "labor", None, "U9")
    leaving = await prompting.leaving("情シス")
    assert (leaving.category.id, leaving.rows, leaving.texts) == ("it", 0, ())
    with pytest.raises(Refused):
        await prompting.leaving("ない分類")


# --- ids


@settings(deadline=None)
@given(name=st.text(min_size=1, max_size=60), taken=st.sets(st.sampled_from(["法務", "it", "category", "category_2"])))
def test_id_from_any_name_is_valid_and_new(name: str, taken: set[str]) -> None:
    made = id_for(name, taken)
    assert made not in taken
    assert Category(id=made, name="x").id == made


async def test_edit_keeps_channel_and_names(store: SqlStore, clock: StepClock, prompting: Prompting) -> None:
    async with store.transaction() as tx:
        with_channel = [c.model_copy(update={"channel": "C0TEAM", "name_en": c.id}) for c in PROMPT.categories]
        await configure(tx, PROMPT.changed(categories=with_channel), clock.now())
    current = await prompting.current()
    edited = PROMPT.categories[0].model_copy(update={"guide": "Ask", "channel": None, "name_en": None})
    await prompting.save(current.id, edited, "U3")
    assert [c.channel for c in (await prompting.current()).categories] == ["C0TEAM"] * len(PROMPT.categories)
    assert [c.name_en for c in (await prompting.current()).categories] == [c.id for c in PROMPT.categories]


def test_prompt_without_channels_is_stored_as_before() -> None:
    assert not [name for name in ("channel", "name_en", "name_ja") if name in PROMPT.model_dump_json()]
    with pytest.raises(ValidationError):
        Category(id="a", name="A", channel="#team")
