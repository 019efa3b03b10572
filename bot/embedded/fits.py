"""The fits of a training: settings chosen out of fold, answers out of fold, and the weights of all rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.features import Floats
from bot.embedded.kernel import Indices, Products, RidgeFit, Weights, ridge_weights
from bot.embedded.linear import softmax
from bot.embedded.trained import apply_temperature, digest
from bot.embedded.training_set import TrainingSet

_CHOICE_ROWS = 1_000
"""Most rows that the settings are chosen on."""
_SHARES = (0.3, 0.5, 0.7, 0.85)
_RIDGES = (0.15, 0.5, 1.5)
_SCALES = (5.0, 8.0, 12.0)
_TRIED_TEMPERATURES = (0.35, 0.5, 0.7, 1.0)
_EVIDENCE_SHARE = 4.0
"""Measured: settings are averaged by the likelihood of this part of the rows; by that of all, one wins too boldly."""
_MOST_SETTINGS = 6
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True)
class FitSettings:
    """The settings of one fit.

    Attributes:
        share: The share of meaning in the likeness, 0..1.
        ridge: The penalty of each text.
        scale: The factor of the fitted values before the softmax.
        weight: The share of this fit in the average of all fits, 0..1.
    """

    share: float
    ridge: float
    scale: float = 1.0
    weight: float = 1.0


def loss_of(probabilities: Floats, truth: Indices) -> float:
    """Return the mean negative log-likelihood of the true labels."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-9)).mean())


def choose(data: TrainingSet) -> list[FitSettings]:
    """Return the settings that are best out of fold, weighted by how good they are; many rows have one setting.

    One setting alone would be a bold choice from few rows: averaging the good ones answers better.
    """
    order = sorted(range(len(data)), key=lambda at: digest(f"{data.task.seed} {data.questions[at]}"))
    chosen = np.array(sorted(order[:_CHOICE_ROWS]))
    products = data.features.rows(data.with_prompt(chosen)).products()
    tried: list[tuple[float, FitSettings]] = []
    for share in _SHARES if data.task.encoder else (0.0,):
        for ridge in _RIDGES:
            values = _out_of_fold(data, FitSettings(share, ridge), chosen, products)
            tried += [
                (_best_loss(data, softmax(scale * values), chosen), FitSettings(share, ridge, scale))
                for scale in _SCALES
            ]
    tried.sort(key=lambda one: one[0])
    best = tried[: _MOST_SETTINGS if data.exact else 1]
    weights = np.exp([(best[0][0] - loss) * len(chosen) / _EVIDENCE_SHARE for loss, _ in best])
    kept = [one for one in zip(weights / weights.sum(), best, strict=True) if one[0] >= _LEAST_WEIGHT]
    total = sum(weight for weight, _ in kept)
    return [FitSettings(one.share, one.ridge, one.scale, float(weight / total)) for weight, (_, one) in kept]


def _best_loss(data: TrainingSet, predicted: Floats, chosen: Indices) -> float:
    """Return the loss of the blended and then calibrated probabilities of the chosen rows."""
    blended = data.blend(predicted, chosen, data.row_counts(out_of_fold=True))
    return min(loss_of(apply_temperature(blended, one), data.truth[chosen]) for one in _TRIED_TEMPERATURES)


def _out_of_fold(data: TrainingSet, settings: FitSettings, chosen: Indices, products: Products) -> Floats:
    """Return values of the chosen rows, each from a fit on the other folds of the chosen rows and the prompt."""
    targets = data.targets[data.with_prompt(chosen)]
    penalties = penalties_of(data, settings, np.ones(len(targets), dtype=np.float32))
    fit = RidgeFit.of(products.likeness(settings.share), targets, penalties)
    values = np.zeros((len(chosen), len(data.labels)), dtype=np.float32)
    for left_out in data.fold_members(data.folds[chosen]):
        values[left_out] = fit.out_of_fold(left_out + data.first_row)
    return values


def penalties_of(data: TrainingSet, settings: FitSettings, counts: Floats) -> Floats:
    """Return the penalty of each text; a text that counts twice has half the penalty."""
    penalties: Floats = (settings.ridge / data.task.strength / counts).astype(np.float32)
    return penalties


class Fits:
    """The weighted average of some fits: its scores out of fold, and its weights on all rows."""

    def __init__(self, data: TrainingSet, settings: Sequence[FitSettings]) -> None:
        self._data = data
        self._settings = settings
        self.open_counts = np.zeros(len(data.labels), dtype=np.float32)
        """How many rows of each label the open questions count as."""
        self.open_confidences = np.zeros(0, dtype=np.float32)
        """The probability of each open question's likeliest label."""
        self._start: Weights | None = None
        """With many rows, the weights that each further fit starts from."""

    def out_of_fold(self) -> Floats:
        """Return the scores of all rows, each from fits on the other folds and the prompt."""
        data, everything = self._data, np.arange(len(self._data))
        if not data.exact:
            return self._out_of_fold_of_many(self._settings[0])
        found = np.zeros((len(data), len(data.labels)), dtype=np.float32)
        for one in self._settings:
            found += np.float32(one.weight * one.scale) * _out_of_fold(data, one, everything, data.products)
        return found

    def _out_of_fold_of_many(self, settings: FitSettings) -> Floats:
        data = self._data
        all_penalties = penalties_of(data, settings, np.ones(len(data.targets), dtype=np.float32))
        self._start = ridge_weights(data.features, data.targets, settings.share, all_penalties, None)
        values = np.zeros((len(data), len(data.labels)), dtype=np.float32)
        for left_out in data.fold_members(data.folds):
            used = np.setdiff1d(np.arange(len(data.targets)), left_out + data.first_row)
            features, targets = data.features.rows(used), data.targets[used]
            fit = ridge_weights(features, targets, settings.share, all_penalties[used], self._start)
            values[left_out] = fit.values(data.features.rows(left_out + data.first_row), settings.share)
        return np.float32(settings.scale) * values

    def weights(self, counts: Floats) -> Weights:
        """Return the weights of a linear model; `counts` says how often each text counts (prompt first, then rows)."""
        data = self._data
        total = Weights.zeros(data.features, len(data.labels))
        for one in self._settings:
            penalties = penalties_of(data, one, counts)
            if data.exact:
                coefficients = RidgeFit.solve(data.products.likeness(one.share), data.targets, penalties)
                fit = Weights.zeros(data.features, len(data.labels)).gradient(data.features, coefficients, one.share)
            elif self._start is not None and np.all(counts == 1):
                fit = self._start
            else:
                fit = ridge_weights(data.features, data.targets, one.share, penalties, self._start)
            total = total.plus(fit.scaled(one.share), float(one.weight * one.scale))
        return total
