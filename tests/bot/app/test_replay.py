"""Replays: the split of a file, the measurements, and small files from end to end."""

import asyncio
import itertools
import json
import math
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.replay.orders import OrderComparison, compare_orders
from bot.app.replay.plot import corrections_needed, plot, saved_by_queue
from bot.app.replay.script import Plan, Script, UnusableFile, make_prompt, script
from bot.app.replay.show import Point, ReplayRun, replay, with_retries
from bot.cli import main
from bot.domain.dataset import group_of
from bot.domain.finetune import FinetuneState
from bot.domain.labelled import Labelled
from bot.domain.scorecard import Z
from bot.practice import Person
from bot.practice.person import RefusedError
from bot.settings import Settings
from bot.similarity.index import Index
from handlers.texts.words import LANGUAGES, Words
from handlers.views import ids
from storage.store import SqlStore
from tests.bot.things import PROMPT
from tests.storage import things

pytestmark = pytest.mark.usefixtures("fast_training", "without_settings")

SUBJECTS = {
    "leave": ["leave", "holiday", "vacation", "sick day"],
    "it": ["laptop", "password", "screen", "printer"],
    "other": ["lunch", "parking", "garden", "music"],
}
MANY_SUBJECTS = {f"{name}{n}": words[2 * n : 2 * n + 2] for name, words in SUBJECTS.items() for n in (0, 1)}
"""Six categories of two subjects each."""
FRAMES = ["how do I get a {}", "question on my {}", "who knows about {}", "the {} again", "I need a {} now"]


def jsonl(records: list[tuple[str, str]]) -> bytes:
    return "\n".join(json.dumps({"text": t, "category": c}) for t, c in records).encode()


def generated(subjects: dict[str, list[str]] = SUBJECTS) -> list[tuple[str, str]]:
    """Return 60 questions, as many of each category, in turns."""
    each = [[(f.format(s), c) for f, s in itertools.product(FRAMES, words)] for c, words in subjects.items()]
    return [question for turn in zip(*each, strict=True) for question in turn]


# --- the script

kinds = st.sampled_from(["leave", "it", "general help", "payroll / tax"])
files = st.lists(st.tuples(st.text("abc .?", min_size=1, max_size=6), kinds), max_size=40)


@given(files, st.integers(1, 5), st.none() | st.integers(1, 8), st.integers(0, 3))
def test_measured_questions_are_never_asked_or_shown(
    records: list[tuple[str, str]], every: int, test: int | None, examples: int
) -> None:
    plan = Plan(every=every, test=test, examples=examples)
    try:
        cut = script(jsonl(records), plan, PROMPT)
    except UnusableFile:
        return
    asked = [group_of(record.text) for record in cut.stream]
    measured = [row.group for row in cut.test]
    shown = [group_of(text) for category in cut.prompt.categories for text in category.examples]
    for one, other in itertools.combinations([asked, measured, shown], 2):
        assert not set(one) & set(other)
    index = Index()
    for text in (*(record.text for record in cut.stream), *cut.prompt.examples):
        index.slot(text)
    assert not [row.text for row in cut.test if index.near(row.text)]
    assert len(asked) >= every
    assert len(set(asked)) == len(asked)
    assert len(set(measured)) == len(measured) > 0
    known = {category.id for category in cut.prompt.categories}
    assert {record.category for record in cut.stream} | {row.category for row in cut.test} <= known
    assert Counter(len(category.examples) <= examples for category in cut.prompt.categories)[False] == 0


def test_near_duplicates_of_asked_questions_are_not_measured() -> None:
    asked = [
        ("経費の精算を教えて", "経理"),
        ("reset my password", "IT"),
        ("育休を取りたい", "経理"),
        ("the vpn is slow", "IT"),
    ]
    shown = [("領収書をなくした", "経理"), ("a new laptop", "IT")]
    last = [
        ("経費精算について教えてください", "経理"),
        ("How do I reset my passwrod?", "IT"),
        ("領収書をなくしました", "経理"),
        ("please, a new laptop", "IT"),
        ("名刺を刷りたい", "経理"),
    ]
    cut = script(jsonl([*shown, *asked, *last]), Plan(every=1, test=5, examples=1), PROMPT)
    assert [record.text for record in cut.stream] == [text for text, _ in asked]
    assert ([row.text for row in cut.test], cut.near) == (["名刺を刷りたい"], 4)
    with pytest.raises(UnusableFile, match="few_questions"):
        script(jsonl([*shown, *asked, *last[:4]]), Plan(every=1, test=4, examples=1), PROMPT)


def test_configured_prompt_is_used_with_known_categories() -> None:
    records = [(f"質問 {n}", ["労務", "it", "その他"][n % 3]) for n in range(30)]
    cut = script(jsonl(records), Plan(every=5), PROMPT)
    assert cut.prompt == PROMPT
    assert {record.category for record in cut.stream} == {"labor", "it", "other"}
    assert (len(cut.stream), len(cut.test)) == (20, 10)
    assert [record.text for record in cut.stream] == [text for text, _ in records[:20]]


def test_prompt_is_made_for_unknown_categories() -> None:
    cut = script(jsonl(generated()), Plan(every=5, examples=2), PROMPT)
    assert [category.id for category in cut.prompt.categories] == ["leave", "it", "other"]
    assert [category.other for category in cut.prompt.categories] == [False, False, True]
    assert all(len(category.examples) == 2 for category in cut.prompt.categories)
    assert len(cut.stream) + len(cut.test) == 54
    assert cut.prompt.language == "en"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing_read"),
        (b"not a table", "nothing_read"),
        (jsonl([(f"q{n}", "it") for n in range(50)]), "one_category"),
        (jsonl([(f"q{n}", "ab"[n % 2]) for n in range(9)]), "few_questions"),
    ],
)
def test_file_without_enough_questions_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(UnusableFile, match=why):
        script(data, Plan(), PROMPT)


def catch_alls(names: list[str], text: str = "q", **plan: str) -> dict[str, bool]:
    records = [Labelled(line=n, text=f"{text} {n}", category=name) for n, name in enumerate(names)]
    prompt, _ = make_prompt(records, names, Plan(**plan))
    return {category.name: category.other for category in prompt.categories}


def test_made_prompt_has_one_catch_all() -> None:
    assert catch_alls(["leave", "out_of_scope"]) == {"leave": False, "out_of_scope": True}
    assert catch_alls(["leave", "it"]) == {"leave": False, "it": False, "Other": True}
    assert catch_alls(["leave", "it"], other="it") == {"leave": False, "it": True}
    assert catch_alls(["労務", "情シス"], text="有給の質問") == {"労務": False, "情シス": False, "その他": True}
    assert catch_alls(["労務", "その他"], text="有給の質問") == {"労務": False, "その他": True}


# --- fine-tunes


async def test_replay_waits_for_the_confirmed_fine_tune(store: SqlStore) -> None:
    earlier = things.finetune("earlier", FinetuneState.SUCCEEDED)
    planned = things.finetune("planned")
    async with store.transaction() as tx:
        await tx.prompts.put(things.PROMPT)
        await tx.datasets.put(things.manifest(), things.NOW)
        await tx.finetunes.add(earlier)
        await tx.finetunes.add(planned)
    core: Any = SimpleNamespace(ports=SimpleNamespace(store=store))
    cut: Any = None
    waiting = asyncio.create_task(ReplayRun(core, cut, cut, Plan(), print)._wait_for_candidate("planned"))
    assert await asyncio.wait([waiting], timeout=0.2) == (set(), {waiting})
    async with store.transaction() as tx:
        await tx.finetunes.advance(planned.model_copy(update={"state": FinetuneState.FAILED}), planned.state)
    assert await waiting is None


# --- points


@given(st.integers(1, 2_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_interval_contains_accuracy_within_0_and_1(counts: tuple[int, int]) -> None:
    right, of = counts
    point = Point(asked=0, corrections=0, right=right, of=of, model="m", version="v1", switched=True)
    low, high = point.interval
    assert low - 1e-9 <= point.accuracy <= high + 1e-9
    assert low >= -1e-9
    assert high <= 1 + 1e-9
    for bound in (low, high):  # at Wilson's bounds, the score statistic is exactly Z
        error = math.sqrt(max(bound * (1 - bound), 0) / of)
        assert abs(point.accuracy - bound) == pytest.approx(Z * error, abs=1e-6)


@pytest.mark.parametrize("language", LANGUAGES)
def test_plot_is_a_png(tmp_path: Path, language: str) -> None:
    points = [
        Point(asked=n, corrections=n, right=n, of=20, model="m", version="v1", switched=bool(n % 2)) for n in range(4)
    ]
    plot(points, "title", tmp_path / "curve.png", Words(language))
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("name", ["\udc97\udc9a.csv", r"q1 $\frac$.csv", "履歴.csv"])
def test_any_file_name_is_a_title(tmp_path: Path, name: str) -> None:
    points = [Point(asked=n, corrections=n, right=n, of=20, model="m", version="v1", switched=True) for n in range(2)]
    plot(points, name, tmp_path / "curve.png", Words("en"))
    assert (tmp_path / "curve.png").exists()


def curve(*points: tuple[int, int]) -> list[Point]:
    """Return points from pairs of (corrections, percent right)."""
    return [
        Point(asked=n, corrections=n, right=right, of=100, model="m", version="v1", switched=True)
        for n, right in points
    ]


def test_savings_count_at_best_common_accuracy() -> None:
    quick, slow = curve((0, 20), (100, 80), (200, 90)), curve((0, 20), (100, 50), (200, 80), (300, 85))
    assert saved_by_queue(quick, slow) == (0.85, 150, 300)
    assert saved_by_queue(slow, quick) == (0.85, 300, 150)
    assert saved_by_queue(quick, quick) == (0.9, 200, 200)
    assert saved_by_queue(quick, curve((0, 20), (100, 20))) is None


async def test_orders_are_timed_to_ninety_percent() -> None:
    """Both orders of a seed meet the questions in the same sequence, and each seed in another."""
    stream = [Labelled(line=n, text=f"q {n}", category="it") for n in range(50)]
    cut: Any = Script(PROMPT, stream, [], near=0)
    streams: dict[int, list[tuple[str, ...]]] = {}

    async def run(script: Script, plan: Plan, goal: float) -> list[Point]:
        if plan.every == len(stream):
            return curve((0, 20), (50, 100))
        assert (plan.every, goal) == (10, 0.9)
        streams.setdefault(plan.seed, []).append(tuple(record.text for record in script.stream))
        needed = (20 if plan.order == "queue" else 40) + 2 * (plan.seed % 2)
        return curve((0, 20), (needed, 90))

    found = await compare_orders(cut, Plan(every=10, order="queue", seeds=3, seed=1), run)
    assert (found.full, found.queue, found.at_random) == (1.0, (22, 20, 22), (42, 40, 42))
    assert {len(set(of)) for of in streams.values()} == {1}
    assert len({of[0] for of in streams.values()}) == 3
    low, high = found.interval
    assert 0.45 < low < found.share == 64 / 124 < high < 0.6


def test_interval_of_equal_runs_is_a_point() -> None:
    assert OrderComparison(full=0.9, queue=(30, 30), at_random=(60, 60)).interval == (0.5, 0.5)
    low, high = OrderComparison(full=0.9, queue=(10, 50), at_random=(60, 60)).interval
    assert (low, high) == pytest.approx((0.0, 0.5 + 12.7062 * 20 / 60), rel=1e-4)


def test_run_that_misses_the_goal_counts_whole() -> None:
    assert corrections_needed(curve((0, 20), (100, 80)), 0.9) == 100
    assert corrections_needed(curve((0, 20), (100, 80)), 0.2) == 0


# --- retries


@pytest.mark.parametrize(("error", "tries"), [("operation_timeout", 6), ("no_such_thing", 1)])
async def test_timed_out_action_is_repeated(monkeypatch: pytest.MonkeyPatch, error: str, tries: int) -> None:
    monkeypatch.setattr("bot.app.replay.show.RETRY_PAUSES", [0.0] * 5)
    done = 0

    async def act() -> None:
        nonlocal done
        done += 1
        if done < 6:
            raise RefusedError({"ok": False, "error": error})

    with pytest.raises(RefusedError, match=error) if tries < 6 else nullcontext():
        await with_retries(act)
    assert done == tries


# --- from end to end


async def press_form_twice(staff: Person, holder: Any, which: Any, *, once: Any = Person.press) -> None:
    """Press as after a timeout of Slack: the form opens twice, and the second one closes the first."""
    for _ in range(2 if which == ids.CORRECT_OPEN else 1):
        await once(staff, holder, which)


@pytest.mark.tour
async def test_replay_of_small_file_learns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """People ask, correct, train and switch on the practice page, with the real bot and the embedded model."""
    monkeypatch.chdir(tmp_path)
    plan = Plan(every=8, agree=1.0, test=15, examples=0)
    cut = script(jsonl(generated()), plan, PROMPT)
    del cut.stream[24:]
    answered = 0

    def count(n: int) -> None:
        nonlocal answered
        answered += n

    points = [point async for point in replay(cut, plan, Settings(), count)]
    assert answered == 24
    assert [(point.asked, point.corrections) for point in points] == [(n, n) for n in (0, 8, 16, 24)]
    assert points[1].refused, "eight answers are too few to train on"
    assert (points[-1].refused, points[0].model) == (None, "local/base")
    assert points[-1].model != "local/base"
    assert points[-1].right > points[0].right


@pytest.mark.tour
@pytest.mark.parametrize("recall", [0, 3])
async def test_replay_with_recall_learns_without_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recall: int
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = Plan(every=20, agree=1.0, test=15, examples=0, recall=recall)
    points = [point async for point in replay(script(jsonl(generated()), plan, PROMPT), plan, Settings(), int)]
    assert {point.model for point in points} == {"local/base"}
    assert (points[-1].right > points[0].right) is bool(recall), "nothing is learned without examples"
    for point in points:
        assert point.unsure
        assert point.unsure.threshold is None, "too few rows are held out"
        assert point.unsure.answered == 1.0
        assert point.unsure.wrong == pytest.approx(1 - point.accuracy)


@pytest.mark.parametrize("order", [pytest.param("random", marks=pytest.mark.tour), "queue"])
async def test_staff_pick_from_many_answered_questions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: str
) -> None:
    """A card offers some of six categories, so staff also use the form. A cry for help has no card and is not asked."""
    monkeypatch.chdir(tmp_path)
    if order == "queue":
        monkeypatch.setattr(Person, "press", press_form_twice)
    plan = Plan.model_validate({"every": 15, "test": 15, "examples": 0, "order": order})
    cut = script(jsonl(generated(MANY_SUBJECTS)), plan, PROMPT)
    cut.stream.append(Labelled(text="My manager harasses me every day", category="leave", line=99))
    points = [point async for point in replay(cut, plan, Settings(), lambda _: None)]
    assert [(point.asked, point.corrections) for point in points] == [(0, 0), (45, 15)]
    assert points[-1].right > points[0].right


@pytest.mark.tour
async def test_orders_of_a_file_are_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOT_LANGUAGE", "en")
    Path("history.jsonl").write_bytes(jsonl(generated()))
    call = "replay history.jsonl --every 15 --test 15 --examples 0 --order queue --seeds 2"
    assert await asyncio.to_thread(main, call.split()) == 0
    said = capsys.readouterr().out
    assert [line.split(",")[0] for line in said.splitlines() if ", seed" in line] == [
        "at random",
        *["at random", "in the order of the review queue"] * 2,
    ]
    assert "of what all questions settled give" in said.splitlines()[-1]
