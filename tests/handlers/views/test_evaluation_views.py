"""Views of an evaluation and of the gate: within Slack's limits, in both languages, with every number."""

import csv
import io
import math
import struct
import sys
import warnings
from importlib import import_module
from random import Random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.domain import gate
from bot.domain.audience import Audience
from bot.domain.comparison import compare
from bot.domain.evaluation import Evaluation, changes
from bot.domain.evidence import Evidence, EvidenceKind
from bot.domain.gate import decide, undecided
from bot.domain.prompt import Category, Prompt
from bot.domain.release import ModelName, Release, ReleaseState
from bot.domain.scorecard import scorecard
from handlers.evaluation import _pictures_of
from handlers.texts.words import LANGUAGES, Words
from handlers.views.comparison import CHANGES_SHOWN, paragraphs, points, still_wrong_lines
from handlers.views.details import sheet
from handlers.views.evaluation import categories_table, changes_table, table
from handlers.views.gate import compared, decision_lines, form, refused, switched
from handlers.views.ids import DETAILS, FINETUNE_OVERRIDE, FINETUNE_ROLLBACK, Override
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
        version=1 if name == "old" else 2,
    )


def evaluation(
    rows: int,
    categories: int = 4,
    *,
    accuracy: float = 0.6,
    down: bool = False,
    seed: int = 1,
    audience: Audience = Audience.PUBLIC,
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
    new, old = (
        [one.model_copy(update={"row": one.row.model_copy(update={"audience": audience})}) for one in answers]
        for answers in (new, old)
    )
    card, before = scorecard("new", new), scorecard("old", old)
    beside = (
        {"decision": undecided("old")}
        if down
        else {
            "before": before,
            "decision": decide(compare(new, old), card, before),
            "changes": changes(old, new),
            "evidence": Evidence(
                candidate=tuple(new),
                serving=tuple(old),
                comparison=compare(new, old),
                generous=compare(new, old),
                kinds={EvidenceKind.HELD_OUT: rows},
                left_out=17,
            ),
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


def details(made: Evaluation, words: Words) -> str:
    return texts(sheet(paragraphs(made, words), words))


@FEW
@given(EVALUATIONS, WORDS)
def test_gate_messages_are_short_and_keep_slacks_limits(made: Evaluation, words: Words) -> None:
    for message, buttons in (
        (refused(made, words), [FINETUNE_OVERRIDE, DETAILS]),
        (switched(made.release, made, words), [FINETUNE_ROLLBACK, DETAILS]),
        (compared(made, words), None),
    ):
        for block in message.blocks:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.to_dict()
        read = texts(message.__dict__)
        assert "`new`" not in read, "no ids"
        assert "<&" not in read, "names that people choose are escaped"
        assert len(message.blocks[0]["text"]["text"].splitlines()) <= 6
        assert buttons is None or controls(message.__dict__) == buttons
    View(**sheet(paragraphs(made, words), words)).validate_json()
    assert "`new`" in details(made, words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_broken_is_said_only_if_true(language: str) -> None:
    words = Words(language)
    made = evaluation(40, accuracy=0.3).model_copy(update={"changes": ()})
    assert made.decision
    assert made.decision.comparison
    assert made.decision.comparison.worse > 0
    assert words("gate.broken.none") not in texts(compared(made, words).__dict__)
    better = evaluation(40, accuracy=1.0).model_copy(update={"changes": ()})
    assert words("gate.broken.none") in texts(compared(better, words).__dict__)


@pytest.mark.parametrize("language", LANGUAGES)
def test_details_show_rule_numbers_and_broken_rows(language: str) -> None:
    made = evaluation(120, accuracy=0.1)
    assert made.decision is not None
    assert made.decision.comparison is not None
    read = details(made, Words(language))
    for number in (gate.SIGNIFICANT, gate.STRICT, gate.MANY, gate.LEAST_EQUAL, gate.FLOOR_SUPPORT):
        assert str(number) in read
    assert f"{len(made.decision.comparison.fixed)}" in read
    assert f"{made.decision.comparison.p:.2g}" in read
    assert f"{made.card.accuracy:.1%}" in read
    assert "$0.000012" in read
    lines = paragraphs(made, Words(language))[-3].splitlines()
    listed = [line for line in lines if line[1:].strip().startswith("question")]
    assert len(listed) == CHANGES_SHOWN < len(made.broken)
    assert str(len(made.broken) - CHANGES_SHOWN) in read


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", [one for one in Audience if one is not Audience.PUBLIC])
def test_comparison_counts_private_questions_without_text(language: str, audience: Audience) -> None:
    made, words = evaluation(120, accuracy=0.1, audience=audience), Words(language)
    assert made.broken
    shown = [texts(message.__dict__) for message in (refused(made, words), compared(made, words))]
    for read in (*shown, details(made, words), changes_table(made).decode("utf-8-sig")):
        assert made.changes[0].row.text not in read
        assert "question 0" not in read
    assert all(str(len(made.broken)) in read for read in shown)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("rows", "accuracy", "key", "missing"),
    [(10, 1.0, "missing", 25), (200, 0.6, "missing", 810), (200, 0.55, "hopeless", None), (200, 1.0, "better", None)],
)
def test_first_line_is_plain(language: str, rows: int, accuracy: float, key: str, missing: int | None) -> None:
    """`missing` counts answers to confirm, of which 17 do not count as evidence here."""
    made = evaluation(rows, accuracy=accuracy, seed=3)
    assert made.decision is not None
    assert made.decision.comparison is not None
    words, paired = Words(language), made.decision.comparison
    facts = {"fixed": paired.better, "broken": paired.worse} | ({"n": missing} if missing else {})
    first = words(f"gate.first.{key}", **facts)
    assert refused(made, words).text == compared(made, words).text == first
    after = words("finetune.switch.despite") if key != "better" else first
    assert after in texts(switched(made.release, made, words).__dict__)


@pytest.mark.parametrize("language", LANGUAGES)
def test_evidence_stands_only_under_details(language: str) -> None:
    words, made = Words(language), evaluation(120)
    for line in (words("details.comparison.held_out", n=120), words("details.comparison.left_out", n=17)):
        assert line in details(made, words)
        assert line not in texts(refused(made, words).__dict__)


def unlearned(*, audience: Audience = Audience.PUBLIC) -> Evaluation:
    """Return the evaluation of a candidate that answers two of seven corrections wrongly and loses to the prompt."""
    wrong = [
        one.model_copy(update={"row": one.row.model_copy(update={"audience": audience})})
        for one in judged(["c1", "c1"], ["c2", "c2"])
    ]
    return evaluation(60).model_copy(update={"learned": 7, "still_wrong": tuple(wrong), "trust": 0.25})


@pytest.mark.parametrize("language", LANGUAGES)
def test_failed_learning_is_said_beside_the_verdict(language: str) -> None:
    words, made = Words(language), unlearned()
    loses, some = words("gate.learned.loses"), words("gate.learned.some", right=5, of=7, wrong=2)
    (verdict,) = decision_lines(made, words)
    for message in (compared(made, words), refused(made, words)):
        first, second = message.blocks[0]["text"]["text"].splitlines()[:2]
        assert first.startswith(verdict)
        assert first.endswith(some)
        assert second == loses
    assert "question 0" in details(made, words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_to_everybody_quote_no_question(language: str) -> None:
    """The comparison goes to the ops channel, and the message about a switch to everybody; details are for admins."""
    words, made = Words(language), unlearned()
    for message in (compared(made, words), switched(made.release, made, words)):
        assert "question " not in texts(message.__dict__).replace(words("evaluate.none"), "")


@pytest.mark.parametrize("audience", [one for one in Audience if one is not Audience.PUBLIC])
def test_private_questions_are_counted_and_not_shown(audience: Audience) -> None:
    words = Words("en")
    assert still_wrong_lines(unlearned(audience=audience), words) == [
        words("details.comparison.wrong"),
        words("details.comparison.more_changes", n=2),
    ]


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
    formulas = ["=HYPERLINK(1)", "+1", "-1", "−1", "@x", "＝1", "﹦1", "－1", " =1", "\u200b＋1", "\ufeff=1", "\t1"]
    (head, cells, harmless) = csv.reader(
        io.StringIO(table(["=a", "b"], [formulas, ["有給", "a=1", ""]]).decode("utf-8-sig"), newline="")
    )
    assert head == ["'=a", "b"]
    assert cells == [f"'{cell}" for cell in formulas]
    assert harmless == ["有給", "a=1", ""]


@pytest.fixture
def pictures() -> ModuleType:
    """Return handlers.pictures, which takes most of a second to load; not each worker draws pictures."""
    return import_module("handlers.pictures")


@pytest.mark.parametrize("categories", [2, 6, 40])
@pytest.mark.parametrize("with_font", [False, True])
def test_pictures_are_drawn_with_and_without_font(pictures: ModuleType, categories: int, *, with_font: bool) -> None:
    made, font = evaluation(150, categories), pictures.japanese_font() if with_font else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns about a character that no font has
        drawn = [draw(made, Words("ja"), font) for draw in (pictures.category_bars, pictures.certainty_dots)]
    for picture in drawn:
        assert picture is not None
        assert picture.png.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", picture.png[16:24])
        assert width == 720, "legible at half of it, on a phone"
        assert 400 <= height <= 2_000


async def test_comparison_has_no_pictures_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert await _pictures_of(evaluation(150), Words("en")) == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_alternative_text_says_what_changed(pictures: ModuleType, language: str) -> None:
    words = Words(language)
    better = pictures.category_bars(evaluation(200, accuracy=1.0), words, None).alt
    assert better.startswith("v2 ")
    assert "100%" in better
    assert words("evaluate.picture.nothing") in better.split("\n")[-1]
    assert "分類 1 <&" in better
    alone = evaluation(200).model_copy(update={"serving": None, "before": None})
    assert (
        words("evaluate.picture.alt_alone", name="v2", now="", worse="").split("。")[0][:3]
        in pictures.category_bars(alone, words, None).alt
    )
    few = evaluation(12).model_copy(update={"card": evaluation(12).card})
    assert pictures.certainty_dots(few, words, None) is None, "a bin of few questions says nothing"


@pytest.mark.parametrize("language", LANGUAGES)
def test_alternative_text_compares_no_few_questions(pictures: ModuleType, language: str) -> None:
    words, few = Words(language), evaluation(20, 6, accuracy=1.0)
    alone = few.model_copy(update={"serving": None, "before": None})
    for made in (few, alone):
        told = pictures.category_bars(made, words, None).alt
        assert "100%" in told
        assert "10" in told.replace("100%", ""), "it says that no category has ten questions"
        assert words("evaluate.picture.nothing") not in told.replace("questions", "")


def test_infinite_interval_is_shown_as_100_points() -> None:
    """The interval of a single question has infinite ends, which people cannot read."""
    assert [points(share) for share in (-math.inf, -0.0213, 0.5, math.inf)] == ["-100.0", "-2.1", "+50.0", "+100.0"]


@FEW
@given(EVALUATIONS)
def test_lines_of_a_comparison_count_the_same(made: Evaluation) -> None:
    paired = made.decision.comparison if made.decision else None
    right, before, of = made.shares
    if paired is None or before is None:
        assert (right, of) == (made.card.right, made.card.rows)
        return
    assert right - before == paired.better - paired.worse
    assert of == paired.groups
    more = made.evidence.model_copy(update={"candidate": made.evidence.candidate * 2}) if made.evidence else None
    assert made.model_copy(update={"evidence": more}).shares[0] == right, "a near-copy is no further question"
