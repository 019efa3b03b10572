"""Training of a layer from rows: ridge regression on likeness, blended with prior knowledge, and calibrated last."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bot.embedded.doubted import Doubted
from bot.embedded.features import Floats
from bot.embedded.fits import Fits, choose, loss_of
from bot.embedded.kernel import Indices, Weights, one_thread
from bot.embedded.linear import LinearModel, softmax
from bot.embedded.open_questions import SelfTaughtFits
from bot.embedded.trained import Layer, TrainedModel, apply_temperature, sharpness
from bot.embedded.training_set import TrainingSet, TrainingTask

_TEMPERATURES = np.geomspace(0.1, 3, 69)
_DEFAULT_TEMPERATURE = 0.5  # measured: blended probabilities are underconfident by about this factor, in both languages
_ROWS_FOR_TEMPERATURE = 50
_REPEATED_COUNT = 4.0
"""How often a row counts in the second fit if the model answered it wrongly after the first."""
_TRUSTS = (1.0, 0.75, 0.5, 0.25, 0.0)


@dataclass(frozen=True)
class Score:
    """Quality of probabilities: mean negative log-likelihood, and share of right answers from 0 to 1."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Learned:
    """The result of a training run.

    Attributes:
        model: The parent with one more layer.
        score: The calibrated score of all rows out of fold.
        labels: The columns of `out_of_fold`.
        out_of_fold: For each row, the probabilities that a model answers that was not trained on the row's fold.
        folds: The fold of each row.
        still_wrong: The rows that the model answers wrongly although it was trained on them.
    """

    model: TrainedModel
    score: Score
    labels: tuple[str, ...]
    out_of_fold: Floats
    folds: Indices
    still_wrong: Indices


def score(probabilities: Floats, truth: Indices) -> Score:
    """Score probabilities, one row per question, against the column of each true label."""
    return Score(loss_of(probabilities, truth), float((probabilities.argmax(axis=1) == truth).mean()))


def temperature_for(probabilities: Floats, truth: Indices) -> float:
    """Return the temperature, from 0.1 to 3, under which the true labels are most likely.

    One imaginary wrong row is added, so that a few right answers do not make the model certain. With few rows, the
    result stays near the default temperature. Corrected rows are harder than ordinary questions, so a fit on few of
    them is underconfident.
    """
    doubt = 1 / (len(truth) + 1)

    def loss(temperature: float) -> float:
        adjusted = apply_temperature(probabilities, temperature)
        return (1 - doubt) * loss_of(adjusted, truth) - doubt * float(np.log(np.maximum(adjusted, 1e-12)).mean())

    fitted = float(min(_TEMPERATURES, key=loss))
    weight = len(truth) / (len(truth) + _ROWS_FOR_TEMPERATURE)
    return float(fitted**weight * _DEFAULT_TEMPERATURE ** (1 - weight))


def learn(task: TrainingTask, on_fold: Callable[[int, int, Score], None]) -> Learned:
    """Train on one thread, so that the same task always gives the same model.

    Args:
        task: The rows and settings to train with.
        on_fold: Called after each fold with the fold's number, the number of folds, and the score on held-out rows.
    """
    with one_thread():
        data = TrainingSet(task)
        everything = np.arange(len(data))
        fits, predicted = _fit(data)
        rows = data.row_counts(out_of_fold=True) + fits.open_counts
        members = list(data.fold_members(data.folds))
        blended = data.blend(predicted, everything, rows)
        for number, left_out in enumerate(members, start=1):
            on_fold(number, len(members), score(blended[left_out], data.truth[left_out]))
        trust = _trust(data, predicted, rows)
        blended = data.blend(predicted, everything, rows, trust)
        known, nearest = data.known()
        if known.vectors.size:
            blended = apply_temperature(blended, np.float32(1) / sharpness(nearest, known.typical)[:, None])
        temperature = temperature_for(blended, data.truth)
        layer, still_wrong = _layer(data, fits, trust)
        rows_meanings = data.features.meanings[data.first_row :]
        doubted = Doubted.of(data.open_features.meanings, fits.open_confidences, rows_meanings)
    model = TrainedModel((*task.parent.layers, layer), temperature, task.encoder, known, doubted)
    answers = apply_temperature(blended, np.float32(temperature) / doubted.sharpness(rows_meanings)[:, None])
    return Learned(model, score(answers, data.truth), data.labels, answers, data.folds, still_wrong)


def _fit(data: TrainingSet) -> tuple[Fits, Floats]:
    """Return the fits of the rows and, if there are any, of the open questions; and their answers out of fold."""
    settings = choose(data)
    fits = Fits(data, settings)
    predicted = softmax(fits.out_of_fold())
    if not data.open:
        return fits, predicted
    blended = data.blend(predicted, np.arange(len(data)), data.row_counts(out_of_fold=True))
    fits = SelfTaughtFits(data, settings, temperature_for(blended, data.truth))
    return fits, softmax(fits.out_of_fold())


def _trust(data: TrainingSet, predicted: Floats, rows: Floats) -> float:
    """Return the largest share of the new layer that does not lose to what it is trained on top of, out of fold."""
    everything = np.arange(len(data))
    before = score(data.prior, data.truth)
    for trust in _TRUSTS:
        after = score(data.blend(predicted, everything, rows, trust), data.truth)
        if after.accuracy >= before.accuracy and after.loss <= before.loss:
            return trust
    return 0.0


def _layer(data: TrainingSet, fits: Fits, trust: float) -> tuple[Layer, Indices]:
    """Fit all rows; return the layer, and the rows that it still answers wrongly.

    Rows that are answered wrongly count more in a second fit.
    """
    counts = np.ones(len(data.targets), dtype=np.float32)
    weights = fits.weights(counts)
    rows = data.row_counts() + fits.open_counts
    wrong = _wrong(data, weights, rows, trust)
    if len(wrong):
        counts[wrong + data.first_row] = _REPEATED_COUNT
        weights = fits.weights(counts)
        wrong = _wrong(data, weights, rows, trust)
    linear = LinearModel(
        tuple(data.labels[at] for at in data.classes),
        data.space,
        weights.characters[:, data.classes].astype(np.float32),
        weights.meanings[:, data.classes].astype(np.float32),
        np.zeros(len(data.classes), dtype=np.float32),
    )
    return Layer(linear, tuple(rows[data.classes].round().astype(int).tolist()), trust), wrong


def _wrong(data: TrainingSet, weights: Weights, rows: Floats, trust: float) -> Indices:
    """Return the rows that the model answers wrongly with these weights."""
    everything = np.arange(len(data))
    scores = weights.scores(data.features.rows(everything + data.first_row))[:, data.classes]
    predicted = np.zeros((len(data), len(data.labels)), dtype=np.float32)
    predicted[:, data.classes] = softmax(scores)
    answers = data.blend(predicted, everything, rows, trust).argmax(axis=1)
    return np.flatnonzero(answers != data.truth)
