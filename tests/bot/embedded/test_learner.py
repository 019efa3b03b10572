"""Training: deterministic, calibrated, and without forgetting."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from bot.embedded import learner
from bot.embedded.answers import classify
from bot.embedded.learner import Score, TrainingTask, folds_of, labels_of, learn, temperature_for
from bot.embedded.trained import TrainedModel, apply_temperature, from_bytes, to_bytes
from tests.bot.embedded.kit import LABELS, PROMPT, ROWS

Row = tuple[str, str]
_NOISE = ["please", "can you tell me", "i want to know", "hello,", "what about", "quick question on"]
_WORDS = {
    "leave": ["vacation", "sick day", "parental leave", "day off", "sabbatical", "holiday"],
    "it": ["laptop", "password", "vpn", "printer", "monitor", "phone"],
    "pay": ["salary", "payslip", "bonus", "tax form", "overtime money", "bank account"],
}
_ENGLISH = "Choose.\n\n" + "\n\n".join(f"## {label}\n\n- my {words[0]}" for label, words in _WORDS.items())


def random_rows(count: int, seed: int, labels: Sequence[str] = tuple(_WORDS)) -> list[Row]:
    """Return random rows; each question has one word that belongs to its label, among words that belong to none."""
    dice = random.Random(seed)
    chosen = [dice.choice(labels) for _ in range(count)]
    return [(f"{dice.choice(_NOISE)} {dice.choice(_WORDS[label])} {dice.choice(_NOISE)}", label) for label in chosen]


def ignore_fold(_: int, __: int, ___: Score) -> None:
    """Ignore the score of a fold."""


def accuracy(
    model: TrainedModel, rows: Sequence[Row], prompt: str = _ENGLISH, labels: Sequence[str] = tuple(_WORDS)
) -> float:
    return sum(classify(model, prompt, labels, text).label == label for text, label in rows) / len(rows)


def test_training_improves_accuracy_on_unseen_rows() -> None:
    rows, unseen = random_rows(80, 1), random_rows(120, 2)
    reported: list[tuple[int, int]] = []
    model, score = learn(TrainingTask(rows, _ENGLISH), lambda fold, folds, _: reported.append((fold, folds)))
    assert reported == [(fold, 5) for fold in range(1, 6)]
    assert accuracy(model, unseen) > max(0.95, accuracy(TrainedModel(), unseen) + 0.2)
    assert score.accuracy > 0.9
    assert score.loss < 0.5


def test_result_is_deterministic_and_folds_depend_on_seed() -> None:
    rows = random_rows(40, 3)
    one, other = (to_bytes(learn(TrainingTask(rows, _ENGLISH, seed=5), ignore_fold)[0]) for _ in range(2))
    assert one == other
    assert folds_of(rows, 1, 5) != folds_of(rows, 2, 5)


def test_loaded_model_answers_like_original() -> None:
    model, _ = learn(TrainingTask(ROWS, PROMPT), ignore_fold)
    again = from_bytes(to_bytes(model))
    one, other = (classify(one, PROMPT, LABELS, "残業の相談") for one in (model, again))
    assert one.reason == other.reason
    assert one.probabilities == pytest.approx(other.probabilities, abs=2e-3)


def test_category_without_rows_is_not_forgotten() -> None:
    model, _ = learn(TrainingTask(random_rows(80, 4, ["leave", "it"]), _ENGLISH), ignore_fold)
    assert accuracy(model, [("my salary", "pay"), ("my salary please", "pay")]) == 1
    assert accuracy(model, random_rows(60, 5, ["leave", "it"])) > 0.9


def test_categories_may_change_after_training() -> None:
    sections = [f"## {label}\n\n" + "\n".join(f"- my {word}" for word in words[:3]) for label, words in _WORDS.items()]
    before = "\n\n".join(sections)
    model, _ = learn(TrainingTask(random_rows(80, 6), before), ignore_fold)
    prompt = f"{before}\n\n## travel\n\n- my flight\n- my hotel\n- book a train"
    labels = [*_WORDS, "travel"]
    assert classify(model, prompt, labels, "book a flight to osaka").label == "travel"
    assert accuracy(model, random_rows(60, 7), prompt, labels) > 0.85
    answer = classify(model, _ENGLISH, ["leave", "pay"], "my laptop")
    assert answer.labels == ("leave", "pay")
    assert answer.probabilities.sum() == pytest.approx(1)


def test_second_fine_tune_keeps_what_first_learned() -> None:
    parent, _ = learn(TrainingTask(random_rows(80, 8, ["leave", "it"]), _ENGLISH), ignore_fold)
    child, _ = learn(TrainingTask(random_rows(80, 9, ["it", "pay"]), _ENGLISH, parent=parent), ignore_fold)
    assert len(child.layers) == 2
    assert child.rows_of(["it"]) > parent.rows_of(["it"])
    assert accuracy(child, random_rows(120, 10)) > 0.9


def test_few_right_answers_do_not_make_model_certain() -> None:
    probabilities = np.array([[0.6, 0.2, 0.2]], dtype=np.float32)
    confidences = {}
    for count in (12, 1200):
        temperature = temperature_for(probabilities.repeat(count, axis=0), np.zeros(count, dtype=np.intp))
        confidences[count] = float(apply_temperature(probabilities, temperature)[0, 0])
    assert 0.6 < confidences[12] < 0.97 < confidences[1200] < 1


def test_excessive_confidence_is_lowered() -> None:
    probabilities = np.array([[0.98, 0.02]], dtype=np.float32).repeat(400, axis=0)
    temperature = temperature_for(probabilities, np.arange(400, dtype=np.intp) % 2)
    assert temperature > 1
    assert float(apply_temperature(probabilities, temperature)[0, 0]) < 0.9


def test_rows_with_single_label_can_be_learned() -> None:
    model, _ = learn(TrainingTask([(f"about {number}", "it") for number in range(10)]), ignore_fold)
    assert classify(model, "", ["it", "pay"], "about 3").label == "it"


def test_equal_questions_stay_in_one_fold() -> None:
    rows = [("Ｖａｃａｔｉｏｎ  please", "leave"), ("vacation please", "it"), *random_rows(20, 12)]
    fold_numbers = folds_of(rows, 0, 5)
    assert fold_numbers[0] == fold_numbers[1]
    assert len(set(fold_numbers)) == 5


def test_labels_come_from_rows_and_matching_prompt() -> None:
    assert labels_of(TrainingTask([("x", "it"), ("y", "leave")], _ENGLISH)) == ("it", "leave", "pay")
    assert labels_of(TrainingTask([("x", "a"), ("y", "b")], _ENGLISH)) == ("a", "b")


def test_many_rows_use_sgd_and_learn_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "SGD_THRESHOLD", 100)
    model, _ = learn(TrainingTask(random_rows(300, 13), _ENGLISH), ignore_fold)
    assert accuracy(model, random_rows(120, 14)) > 0.95
    assert np.isfinite(model.layers[0].linear.weights).all()
