"""Views of an evaluation and of the gate: within Slack's limits, in both languages, with every number."""

import csv
import io
import math
import struct
import warnings
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.domain import gate
from bot.domain.comparison import compare
from bot.domain.evaluation import Evaluation, changes
from bot.domain.gate import decide, undecided
from bot.domain.prompt import Category, Prompt
from bot.domain.release import ModelName, Release, ReleaseState
from bot.domain.scorecard import scorecard
from handlers.pictures import evaluation_png, japanese_font
from handlers.texts.words import LANGUAGES, Words
from handlers.views.evaluation import categories_table, changes_table, report, table
from handlers.views.gate import BROKEN_SHOWN, form, points, refused, switched
from handlers.views.ids import FINETUNE_OVERRIDE, Override
from tests.bot.domain.judged import AT, judged
from tests.kits.slack_desk import controls, texts

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def release(name: str) -> Release:
    return Release(
        id=name,
        model=ModelName(provider="local", model=f"ft:{name}&co"),
        prompt_id="p",
        state=ReleaseState.CANDIDATE,
        created_at=AT,
    )


def evaluation(
    rows: int, categories: int = 4, *, accuracy: float = 0.6, down: bool = False, seed: int = 1
) -> Evaluation:
    """Return the evaluation of a candidate with this accuracy against a serving release with 60%."""
    random = Random(seed)
    prompt = Prompt(
        language="ja",
        template="t",
        categories=tuple(Category(id=f"c{n}", name=f"分類 {n} <&", other=n == 0) for n in range(categories)),
    )
    ids = [c.id for c in prompt.categories]
    settled = [random.choice(ids) for _ in range(rows)]

    def answered(right: float) -> list[str]:
        return [one if random.random() < right else random.choice(ids) for one in settled]

    sure = [random.random() for _ in settled]
    new = judged(settled, answered(accuracy), confidences=sure, release="new")
    old = judged(settled, answered(0.6), confidences=sure, release="old")
    card, before = scorecard("new", new), scorecard("old", old)
    beside = (
        {"decision": undecided("old")}
        if down
        else {
            "before": before,
            "decision": decide(compare(new, old), card, before),
            "changes": changes(old, new),
        }
    )
    alone = Evaluation(release=release("new"), prompt=prompt, card=card, serving=release("old"), usd=0.000012)
    return alone.model_copy(update=beside)


EVALUATIONS = st.builds(
    evaluation,
    st.integers(0, 350),
    st.integers(2, 60),
    accuracy=st.floats(0, 1),
    down=st.booleans(),
    seed=st.integers(0, 9),
)
WORDS = st.sampled_from(LANGUAGES).map(Words)


@FEW
@given(EVALUATIONS, WORDS)
def test_gate_messages_keep_slacks_limits(made: Evaluation, words: Words) -> None:
    message = refused(made, words)
    for block in message.blocks:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.to_dict()
    assert controls(message.__dict__) == [FINETUNE_OVERRIDE]
    assert "`new`" in message.text
    shown = switched(made.release, made, words)
    for block in shown.blocks:
        assert Block.parse(block) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_refusal_shows_rule_numbers_and_broken_rows(language: str) -> None:
    made = evaluation(120, accuracy=0.1)
    assert made.decision is not None
    assert made.decision.comparison is not None
    read = texts(refused(made, Words(language)).__dict__)
    for number in (gate.SIGNIFICANT, gate.LEAST_BETTER, gate.LEAST_EQUAL, gate.FLOOR_SUPPORT):
        assert str(number) in read
    assert f"{len(made.decision.comparison.fixed)}" in read
    assert f"{made.decision.comparison.p:.2g}" in read
    listed = [line for line in read.splitlines() if line.startswith("• question")]
    assert len(listed) == BROKEN_SHOWN < len(made.broken)
    assert str(len(made.broken) - BROKEN_SHOWN) in read


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("rows", "expected"), [(40, "10"), (200, None)])
def test_undecided_gate_tells_how_much_is_missing(language: str, rows: int, expected: str | None) -> None:
    made = evaluation(rows, accuracy=1.0 if expected else 0.6, seed=3)
    assert made.decision is not None
    missing = made.decision.missing
    words = Words(language)
    wanted = words("gate.hopeless") if missing is None else words("gate.missing", n=missing)
    assert wanted in texts(refused(made, words).__dict__)
    assert expected is None or missing == int(expected)


@FEW
@given(EVALUATIONS, WORDS)
def test_report_has_figures_and_is_escaped(made: Evaluation, words: Words) -> None:
    text = report(made, words)
    assert "<&" not in text, "names that people choose are escaped"
    if made.card.rows:
        assert f"{made.card.accuracy:.1%}" in text
        assert "$0.000012" in text
    else:
        assert words("evaluate.none") in text


def test_override_form_asks_for_a_sentence() -> None:
    for language in LANGUAGES:
        view = form(release("new"), Words(language), channel="C1", thread=None)
        View(**view).validate_json()
        assert Override.unpacked(view["private_metadata"]) == Override(release="new", channel="C1")
        assert view["blocks"][1]["element"]["min_length"] == gate.LEAST_SENTENCE


def test_tables_open_in_spreadsheets_without_formulas() -> None:
    made = evaluation(100)
    rows = list(csv.DictReader(io.StringIO(changes_table(made).decode("utf-8-sig"))))
    assert len(rows) == len(made.changes)
    assert {row["change"] for row in rows} == {"fixed", "broken"}
    counts = list(csv.reader(io.StringIO(categories_table(made).decode("utf-8-sig"))))[1:]
    assert sum(int(cell) for row in counts for cell in row[4:]) == made.card.rows
    cells = next(
        csv.reader(
            io.StringIO(table(["a"], [["=HYPERLINK(1)", "+1", "-1", "@x", "有給"]]).decode("utf-8-sig").split("\n")[1])
        )
    )
    assert cells == ["'=HYPERLINK(1)", "'+1", "'-1", "'@x", "有給"]


@pytest.mark.parametrize("categories", [2, 6, 40])
@pytest.mark.parametrize("font", [None, japanese_font()])
def test_picture_is_drawn_with_and_without_font(categories: int, font: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns about a character that no font has
        png = evaluation_png(evaluation(150, categories), Words("ja"), font)
    assert png.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", png[16:24])
    assert 500 <= width <= 2_500
    assert 400 <= height <= 2_000


def test_infinite_interval_is_shown_as_100_points() -> None:
    """The interval of a single question has infinite ends, which people cannot read."""
    assert [points(share) for share in (-math.inf, -0.0213, 0.5, math.inf)] == ["-100.0", "-2.1", "+50.0", "+100.0"]
