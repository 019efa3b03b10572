"""Learning: deterministic, calibrated, and not forgetting."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from bot.embedded import learner
from bot.embedded.answers import classified
from bot.embedded.learner import Lesson, Score, folds_of, labels_of, learn, temperature_for
from bot.embedded.trained import Trained, from_bytes, tempered, to_bytes
from tests.bot.embedded.kit import LABELS, PROMPT, ROWS

Row = tuple[str, str]
_NOISE = ["please", "can you tell me", "i want to know", "hello,", "what about", "quick question on"]
_WORDS = {
    "leave": ["vacation", "sick day", "parental leave", "day off", "sabbatical", "holiday"],
    "it": ["laptop", "password", "vpn", "printer", "monitor", "phone"],
    "pay": ["salary", "payslip", "bonus", "tax form", "overtime money", "bank account"],
}
_ENGLISH = "Choose.\n\n" + "\n\n".join(f"## {label}\n\n- my {words[0]}" for label, words in _WORDS.items())


def made(count: int, seed: int, labels: Sequence[str] = tuple(_WORDS)) -> list[Row]:
    """Make questions of a word that belongs to a label, among words that belong to none."""
    dice = random.Random(seed)
    chosen = [dice.choice(labels) for _ in range(count)]
    return [(f"{dice.choice(_NOISE)} {dice.choice(_WORDS[label])} {dice.choice(_NOISE)}", label) for label in chosen]


def quiet(_: int, __: int, ___: Score) -> None:
    """Take no notice of a fold."""


def right(model: Trained, rows: Sequence[Row], prompt: str = _ENGLISH, labels: Sequence[str] = tuple(_WORDS)) -> float:
    return sum(classified(model, prompt, labels, text).label == label for text, label in rows) / len(rows)


def test_training_makes_it_clearly_better_on_rows_it_never_saw() -> None:
    rows, unseen = made(80, 1), made(120, 2)
    told: list[tuple[int, int]] = []
    model, score = learn(Lesson(rows, _ENGLISH), lambda fold, folds, _: told.append((fold, folds)))
    assert told == [(fold, 5) for fold in range(1, 6)]
    assert right(model, unseen) > max(0.95, right(Trained(), unseen) + 0.2)
    assert score.accuracy > 0.9
    assert score.loss < 0.5


def test_the_same_lesson_gives_the_same_bytes_and_another_seed_other_folds() -> None:
    rows = made(40, 3)
    one, other = (to_bytes(learn(Lesson(rows, _ENGLISH, seed=5), quiet)[0]) for _ in range(2))
    assert one == other
    assert folds_of(rows, 1, 5) != folds_of(rows, 2, 5)


def test_a_model_read_back_answers_the_same() -> None:
    model, _ = learn(Lesson(ROWS, PROMPT), quiet)
    again = from_bytes(to_bytes(model))
    one, other = (classified(one, PROMPT, LABELS, "残業の相談") for one in (model, again))
    assert one.reason == other.reason
    assert one.probabilities == pytest.approx(other.probabilities, abs=2e-3)


def test_a_category_without_rows_is_not_forgotten() -> None:
    model, _ = learn(Lesson(made(80, 4, ["leave", "it"]), _ENGLISH), quiet)
    assert right(model, [("my salary", "pay"), ("my salary please", "pay")]) == 1
    assert right(model, made(60, 5, ["leave", "it"])) > 0.9


def test_a_category_added_after_training_is_answered_and_a_removed_one_is_not() -> None:
    sections = [f"## {label}\n\n" + "\n".join(f"- my {word}" for word in words[:3]) for label, words in _WORDS.items()]
    before = "\n\n".join(sections)
    model, _ = learn(Lesson(made(80, 6), before), quiet)
    prompt = f"{before}\n\n## travel\n\n- my flight\n- my hotel\n- book a train"
    labels = [*_WORDS, "travel"]
    assert classified(model, prompt, labels, "book a flight to osaka").label == "travel"
    assert right(model, made(60, 7), prompt, labels) > 0.85
    answer = classified(model, _ENGLISH, ["leave", "pay"], "my laptop")
    assert answer.labels == ("leave", "pay")
    assert answer.probabilities.sum() == pytest.approx(1)


def test_a_fine_tune_of_a_fine_tune_knows_what_both_were_taught() -> None:
    parent, _ = learn(Lesson(made(80, 8, ["leave", "it"]), _ENGLISH), quiet)
    child, _ = learn(Lesson(made(80, 9, ["it", "pay"]), _ENGLISH, parent=parent), quiet)
    assert len(child.layers) == 2
    assert child.rows_of(["it"]) > parent.rows_of(["it"])
    assert right(child, made(120, 10)) > 0.9


def test_few_rows_that_all_came_out_right_do_not_make_it_certain() -> None:
    opinion = np.array([[0.6, 0.2, 0.2]], dtype=np.float32)
    sure = {}
    for count in (12, 1200):
        heat = temperature_for(opinion.repeat(count, axis=0), np.zeros(count, dtype=np.intp))
        sure[count] = float(tempered(opinion, heat)[0, 0])
    assert 0.6 < sure[12] < 0.97 < sure[1200] < 1


def test_confidence_that_was_too_high_is_lowered() -> None:
    opinion = np.array([[0.98, 0.02]], dtype=np.float32).repeat(400, axis=0)
    heat = temperature_for(opinion, np.arange(400, dtype=np.intp) % 2)
    assert heat > 1
    assert float(tempered(opinion, heat)[0, 0]) < 0.9


def test_rows_of_one_label_only_are_learned_without_a_fault() -> None:
    model, _ = learn(Lesson([(f"about {number}", "it") for number in range(10)]), quiet)
    assert classified(model, "", ["it", "pay"], "about 3").label == "it"


def test_equal_questions_stay_in_one_fold() -> None:
    rows = [("Ｖａｃａｔｉｏｎ  please", "leave"), ("vacation please", "it"), *made(20, 12)]
    dealt = folds_of(rows, 0, 5)
    assert dealt[0] == dealt[1]
    assert len(set(dealt)) == 5


def test_labels_come_from_rows_parent_and_a_prompt_that_lists_the_same_kind() -> None:
    assert labels_of(Lesson([("x", "it"), ("y", "leave")], _ENGLISH)) == ("it", "leave", "pay")
    assert labels_of(Lesson([("x", "a"), ("y", "b")], _ENGLISH)) == ("a", "b")


def test_many_rows_take_the_other_solver_and_learn_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "MANY", 100)
    model, _ = learn(Lesson(made(300, 13), _ENGLISH), quiet)
    assert right(model, made(120, 14)) > 0.95
    assert np.isfinite(model.layers[0].linear.weights).all()
