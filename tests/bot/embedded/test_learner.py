"""Training: deterministic, calibrated, and without forgetting."""

import io
import json
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bot.embedded import training_set
from bot.embedded.answers import classify
from bot.embedded.centres import FEWEST_TEXTS, centres_of, grouped
from bot.embedded.encoders import Encoder
from bot.embedded.fits import FitSettings
from bot.embedded.kernel import Features, RidgeFit, ridge_weights
from bot.embedded.learner import learn, temperature_for
from bot.embedded.linear import documents_of, space_of
from bot.embedded.open_questions import SelfTaughtFits
from bot.embedded.trained import (
    KnownTexts,
    TrainedModel,
    apply_temperature,
    from_bytes,
    to_bytes,
    with_centres,
    without_texts,
)
from bot.embedded.training_set import TrainingTask, folds_of, labels_of
from tests.bot.embedded.kit import ENCODER, LABELS, NOISE, PROMPT, ROWS, WORDS, ignore_fold, random_rows

Row = tuple[str, str]
_ENGLISH = "Choose.\n\n" + "\n\n".join(f"## {label}\n\n- my {words[0]}" for label, words in WORDS.items())


def accuracy(
    model: TrainedModel, rows: Sequence[Row], prompt: str = _ENGLISH, labels: Sequence[str] = tuple(WORDS)
) -> float:
    return sum(classify(model, prompt, labels, text).label == label for text, label in rows) / len(rows)


def test_training_improves_accuracy_on_unseen_rows() -> None:
    rows, unseen = random_rows(80, 1), random_rows(120, 2)
    reported: list[tuple[int, int]] = []
    learned = learn(TrainingTask(rows, _ENGLISH), lambda fold, folds, _: reported.append((fold, folds)))
    model, score = learned.model, learned.score
    assert reported == [(fold, 5) for fold in range(1, 6)]
    assert accuracy(model, unseen) > max(0.95, accuracy(TrainedModel(), unseen) + 0.2)
    assert score.accuracy > 0.9
    assert score.loss < 0.5


def test_result_is_deterministic_and_folds_depend_on_seed() -> None:
    rows = random_rows(40, 3)
    one, other = (to_bytes(learn(TrainingTask(rows, _ENGLISH, seed=5), ignore_fold).model) for _ in range(2))
    assert one == other
    assert folds_of(rows, 1, 5) != folds_of(rows, 2, 5)


def test_loaded_model_answers_like_original() -> None:
    model = learn(TrainingTask(ROWS, PROMPT), ignore_fold).model
    again = from_bytes(to_bytes(model))
    one, other = (classify(one, PROMPT, LABELS, "残業の相談") for one in (model, again))
    assert one.reason == other.reason
    assert one.probabilities == pytest.approx(other.probabilities, abs=2e-3)


@pytest.mark.parametrize(
    ("settled", "asked"),
    [
        (["the locker is jammed", "a key for my locker"], "another locker please"),
        (["ロッカーの鍵がほしい", "ロッカーの鍵をなくした", "ロッカーの鍵の予備"], "ロッカーの鍵をもう一つ"),
    ],
)
def test_recorrected_rows_count_as_examples(settled: Sequence[str], asked: str) -> None:
    """The model was trained on both as `pay` before; where it already gives the new label, they add nothing."""
    rows = random_rows(60, 23)
    model = learn(TrainingTask([*rows, *((text, "pay") for text in settled)], _ENGLISH), ignore_fold).model
    before = classify(model, _ENGLISH, tuple(WORDS), asked)
    confirmed = classify(model, _ENGLISH, tuple(WORDS), asked, [(text, "pay") for text in settled])
    corrected = classify(model, _ENGLISH, tuple(WORDS), asked, [(text, "leave") for text in settled])
    assert before.label == confirmed.label == "pay"
    assert confirmed.confidence == before.confidence
    assert corrected.label == "leave"


def test_category_without_rows_is_not_forgotten() -> None:
    model = learn(TrainingTask(random_rows(80, 4, ["leave", "it"]), _ENGLISH), ignore_fold).model
    assert accuracy(model, [("my salary", "pay"), ("my salary please", "pay")]) == 1
    assert accuracy(model, random_rows(60, 5, ["leave", "it"])) > 0.9


def test_categories_may_change_after_training() -> None:
    sections = [f"## {label}\n\n" + "\n".join(f"- my {word}" for word in words[:3]) for label, words in WORDS.items()]
    before = "\n\n".join(sections)
    model = learn(TrainingTask(random_rows(80, 6), before), ignore_fold).model
    prompt = f"{before}\n\n## travel\n\n- my flight\n- my hotel\n- book a train"
    labels = [*WORDS, "travel"]
    assert classify(model, prompt, labels, "book a flight to osaka").label == "travel"
    assert accuracy(model, random_rows(60, 7), prompt, labels) > 0.85
    answer = classify(model, _ENGLISH, ["leave", "pay"], "my laptop")
    assert answer.labels == ("leave", "pay")
    assert answer.probabilities.sum() == pytest.approx(1)


def test_second_fine_tune_keeps_what_first_learned() -> None:
    parent = learn(TrainingTask(random_rows(80, 8, ["leave", "it"]), _ENGLISH), ignore_fold).model
    child = learn(TrainingTask(random_rows(80, 9, ["it", "pay"]), _ENGLISH, parent=parent), ignore_fold).model
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
    model = learn(TrainingTask([(f"about {number}", "it") for number in range(10)]), ignore_fold).model
    assert classify(model, "", ["it", "pay"], "about 3").label == "it"


def test_equal_questions_stay_in_one_fold() -> None:
    rows = [("Ｖａｃａｔｉｏｎ  please", "leave"), ("vacation please", "it"), *random_rows(20, 12)]
    fold_numbers = folds_of(rows, 0, 5)
    assert fold_numbers[0] == fold_numbers[1]
    assert len(set(fold_numbers)) == 5


def test_labels_come_from_rows_and_matching_prompt() -> None:
    assert labels_of(TrainingTask([("x", "it"), ("y", "leave")], _ENGLISH)) == ("it", "leave", "pay")
    assert labels_of(TrainingTask([("x", "a"), ("y", "b")], _ENGLISH)) == ("a", "b")


@pytest.mark.parametrize(("encoder", "share"), [(None, 0.0), (ENCODER, 0.5), (ENCODER, 1.0)])
def test_conjugate_gradients_agree_with_exact_solver(encoder: Encoder | None, share: float) -> None:
    rows = random_rows(120, 13)
    texts = [text for text, _ in rows]
    features = Features.of(space_of(texts, texts, encoder), texts)
    targets = np.array([[label == one for one in WORDS] for _, label in rows], dtype=np.float32)
    ridge = np.linspace(0.3, 3, len(rows)).astype(np.float32)
    exact = RidgeFit.solve(features.products().likeness(share), targets, ridge)
    weights = ridge_weights(features, targets, share, ridge, None)
    assert weights.values(features, share) == pytest.approx(features.products().likeness(share) @ exact, abs=0.02)


@pytest.mark.parametrize("encoder", [None, ENCODER])
def test_many_rows_are_learned_as_well(encoder: Encoder | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_set, "EXACT_ROWS", 100)
    learned = learn(TrainingTask(random_rows(300, 13), _ENGLISH, encoder=encoder), ignore_fold)
    assert accuracy(learned.model, random_rows(120, 14)) > 0.95
    assert learned.score.accuracy > 0.95


@pytest.mark.parametrize(
    "near",
    [
        ["How do I reset my VPN password?", "please reset the VPN password", "VPN password reset"],
        ["有給の申請方法はどうなりますか", "有給を申請する方法は？", "有給申請の方法について"],
    ],
)
def test_near_duplicates_share_a_fold(near: list[str]) -> None:
    others = [(f"question {n} about thing {n}", "a" if n % 2 else "b") for n in range(60)]
    for seed in range(10):
        assert len(set(folds_of([*((text, "a") for text in near), *others], seed, 5)[: len(near)])) == 1


def test_common_subject_does_not_fill_a_fold() -> None:
    rows = [(f"{'と'.join('あいうえ'[: n % 4 + 1])}{'ん' * (n // 4)}", "ab"[n % 2]) for n in range(40)]
    assert set(folds_of(rows, 0, 5)) == set(range(5))
    rows = [(f"PC{'か' * n}", "ab"[n % 2]) for n in range(40)]
    assert set(folds_of(rows, 0, 5)) == set(range(5))


def test_out_of_fold_answers_are_those_of_refits() -> None:
    """The block formula gives what a fit without the fold's rows predicts."""
    random_matrix = np.random.default_rng(4).normal(size=(40, 12)).astype(np.float32)
    likeness, targets = random_matrix @ random_matrix.T, random_matrix[:, :3]
    ridge = np.full(40, 0.5, dtype=np.float32)
    left_out, kept = np.arange(10, 18), np.r_[0:10, 18:40]
    refit = RidgeFit.of(likeness[np.ix_(kept, kept)], targets[kept], ridge[kept])
    expected = likeness[np.ix_(left_out, kept)] @ refit.coefficients
    found = RidgeFit.of(likeness, targets, ridge).out_of_fold(left_out)
    assert found == pytest.approx(expected, abs=1e-2)


def test_coefficients_without_texts_are_those_of_a_refit() -> None:
    random_matrix = np.random.default_rng(5).normal(size=(40, 12)).astype(np.float32)
    likeness, targets = random_matrix @ random_matrix.T, random_matrix[:, :3]
    ridge = np.full(40, 0.5, dtype=np.float32)
    left_out, kept = np.arange(10, 18), np.r_[0:10, 18:40]
    refit = RidgeFit.of(likeness[np.ix_(kept, kept)], targets[kept], ridge[kept])
    found = RidgeFit.of(likeness, targets, ridge).without(left_out)
    assert found[kept] == pytest.approx(refit.coefficients, abs=1e-2)
    assert found[left_out] == pytest.approx(0, abs=1e-2)


_OTHER_WORDS = {"leave": "siesta", "it": "router", "pay": "gratuity"}
"""Words that stand in no row: open questions alone tell what they go with."""
_OPEN = [
    f"{noise} {word} and {other} {n}"
    for n, noise in enumerate(NOISE)
    for label, other in _OTHER_WORDS.items()
    for word in WORDS[label]
]


def test_open_questions_teach_words_that_no_row_has() -> None:
    rows, asked = random_rows(60, 21), [(f"about the {word}", label) for label, word in _OTHER_WORDS.items()]
    without, with_open = (learn(TrainingTask(rows, open=texts), ignore_fold).model for texts in ([], _OPEN))
    assert accuracy(without, asked, "") < accuracy(with_open, asked, "") == 1


def test_answer_out_of_fold_ignores_labels_of_fold() -> None:
    """No label comes back to its own fold by way of an open question."""
    task = TrainingTask(random_rows(60, 22), _ENGLISH, encoder=ENCODER, open=_OPEN)
    data = training_set.TrainingSet(task)
    fold, found = np.flatnonzero(data.folds == 0), []
    for _ in range(2):
        found.append(SelfTaughtFits(data, [FitSettings(0.5, 0.5, 8.0)], 0.5).out_of_fold())
        data.targets[fold + data.first_row] = np.roll(data.targets[fold + data.first_row], 1, axis=1)
    assert found[0][fold] == pytest.approx(found[1][fold], abs=1e-2)
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_layer_that_loses_to_prompt_is_trusted_less() -> None:
    rows = random_rows(60, 15)
    labels = [label for _, label in rows]
    random.Random(16).shuffle(labels)
    shuffled = [(text, label) for (text, _), label in zip(rows, labels, strict=True)]
    known = [(f"my {word}", label) for label, words in WORDS.items() for word in words[:1]]
    learned = learn(TrainingTask([*shuffled[:12], *known * 4], _ENGLISH), ignore_fold)
    assert 0 <= learned.model.layers[0].trust <= 1
    assert learned.out_of_fold.shape == (len(learned.folds), len(learned.labels))


def test_rows_that_stay_wrong_are_named() -> None:
    rows = [*random_rows(60, 17), ("my laptop", "pay"), ("my laptop", "leave")]
    learned = learn(TrainingTask(rows, _ENGLISH), ignore_fold)
    wrong = [rows[at] for at in learned.still_wrong]
    assert {text for text, _ in wrong} == {"my laptop"}


def test_unlike_question_is_answered_less_surely() -> None:
    model = learn(TrainingTask(random_rows(80, 18), _ENGLISH, encoder=ENCODER), ignore_fold).model
    known, unlike = model.known.sharpness(model.layers[0].linear.space.meanings(["my laptop", "zz"]))
    assert unlike < known


def test_file_holds_no_word_of_a_row() -> None:
    rows = random_rows(40, 21)
    marked = (f"{rows[0][0]} zyxwaardvark", rows[0][1])
    model = learn(TrainingTask([marked, *rows[1:]], _ENGLISH), ignore_fold).model
    with np.load(io.BytesIO(to_bytes(model)), allow_pickle=False) as packed:
        members = {name: packed[name].tobytes() for name in packed.files}
    assert not [name for name, data in members.items() if b"aardvark" in data or b"zyx" in data]
    again = from_bytes(to_bytes(from_bytes(to_bytes(model))))
    texts = [text for text, _ in rows]
    prior = np.full((len(texts), 3), 1 / 3, dtype=np.float32)
    labels = model.labels[:3]
    assert np.allclose(again.probabilities(prior, labels, texts), model.probabilities(prior, labels, texts), atol=0.01)


def test_model_keeps_no_vector_of_a_row() -> None:
    rows = list(dict.fromkeys(random_rows(120, 22)))
    model = learn(TrainingTask(rows, _ENGLISH, encoder=ENCODER), ignore_fold).model
    prompt_texts = len(documents_of(_ENGLISH, model.labels))
    centres, meanings = model.known.vectors[prompt_texts:], model.layers[0].linear.space.meanings([t for t, _ in rows])
    assert 1 < len(centres) <= len(rows) // FEWEST_TEXTS
    groups = grouped(meanings)
    assert np.bincount(groups).min() >= FEWEST_TEXTS
    assert np.allclose(centres_of(meanings, groups), centres, atol=1e-5)
    assert (centres @ meanings.T).max() < 0.999


@pytest.mark.parametrize("rows", [1, FEWEST_TEXTS - 1])
def test_few_rows_leave_no_centre(rows: int) -> None:
    model = learn(TrainingTask(random_rows(80, 18)[:rows], _ENGLISH, encoder=ENCODER), ignore_fold).model
    assert len(model.known.vectors) == len(documents_of(_ENGLISH, model.labels))


def test_model_answers_without_vectors_of_its_rows() -> None:
    model = learn(TrainingTask(random_rows(80, 19), _ENGLISH, encoder=ENCODER), ignore_fold).model
    assert model.known.vectors.size
    without = from_bytes(without_texts(to_bytes(model)), ENCODER)
    assert not without.known.vectors.size
    assert not without.known.digests
    assert accuracy(without, random_rows(60, 20)) > 0.9


def test_old_files_vectors_become_centres() -> None:
    rows = list(dict.fromkeys(random_rows(120, 22)))
    model = learn(TrainingTask(rows, _ENGLISH, encoder=ENCODER), ignore_fold).model
    meanings = model.layers[0].linear.space.meanings([text for text, _ in rows])
    old = replace(model, known=KnownTexts(meanings, 0.9, model.known.digests))
    renewed = from_bytes(with_centres(to_bytes(old)), ENCODER)
    centres = renewed.known.vectors
    assert 1 < len(centres) <= len(rows) // FEWEST_TEXTS
    assert (centres @ meanings.T).max() < 0.999
    assert renewed.known.digests == model.known.digests
    assert abs(renewed.known.typical - model.known.typical) < 0.1
    known, unlike = renewed.known.sharpness(model.layers[0].linear.space.meanings(["my laptop", "zz"]))
    assert unlike < known
    assert accuracy(renewed, random_rows(60, 20)) == accuracy(old, random_rows(60, 20))


def test_old_file_still_answers() -> None:
    """A file of the first revision has neither an encoder nor known texts, and names its features."""
    model = learn(TrainingTask(random_rows(80, 19), _ENGLISH), ignore_fold).model
    with np.load(io.BytesIO(to_bytes(model)), allow_pickle=False) as new:
        arrays = dict(new)
    about = json.loads(arrays["about"].tobytes())
    about = {"temperature": about["temperature"], "encoder": "", "layers": about["layers"]}
    for layer, learned in zip(about["layers"], model.layers, strict=True):
        del layer["encoder"], layer["trust"]
        layer["grams"] = list(learned.linear.space.vocabulary.columns)
    old = {name: arrays[name] for name in ("weights0", "bias0", "rarity0")}
    old["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **old)
    for encoder in (None, ENCODER):
        assert accuracy(from_bytes(out.getvalue(), encoder), random_rows(60, 20)) > 0.9
