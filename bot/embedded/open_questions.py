"""Self-training: fits that also learn from open questions, which nobody has settled.

A fit on the rows and the prompt answers each open question. Its probabilities become the question's target in a next
fit, in which an open question counts less than a row. For answers out of fold, all of this is repeated without the
fold. Otherwise a row's label could reach its own answer by way of an open question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.features import Floats
from bot.embedded.fits import Fits, FitSettings, penalties_of
from bot.embedded.kernel import Indices, RidgeFit, Weights
from bot.embedded.linear import softmax
from bot.embedded.trained import apply_temperature, blend
from bot.embedded.training_set import TrainingSet

OPEN_COUNT = 0.5
"""Measured: how much an open question counts beside a settled one."""
_NONE: Indices = np.zeros(0, dtype=np.intp)
_ROUNDS = 2
"""How often the open questions are answered anew and learned."""


@dataclass(frozen=True)
class _Pair:
    """A fit on the prompt and the rows alone, and one on the open questions too, by the same settings."""

    factor: np.float32
    to_open: Floats
    """The likeness of each open question to each text of the prompt and to each row."""
    settled: RidgeFit
    whole: RidgeFit
    open_penalties: Floats


class SelfTaughtFits(Fits):
    """The weighted average of fits that learn from the prompt, the rows and the open questions.

    Args:
        data: The rows, with at least one open question; few enough for the exact solver.
        settings: The settings that were chosen on the rows.
        temperature: It calibrates the probabilities of a fit on the rows.
    """

    def __init__(self, data: TrainingSet, settings: Sequence[FitSettings], temperature: float) -> None:
        super().__init__(data, settings)
        self._temperature = temperature
        self._features = data.features.followed_by(data.open_features)
        self._products = self._features.products()
        self._pairs = [self._pair(one) for one in settings]
        self._targets = self._taught(_NONE)
        self.open_counts = np.float32(OPEN_COUNT) * (self._targets[-len(data.open) :] + self._even).sum(axis=0)
        self.open_confidences = (self._by_rows(_NONE)[-len(data.open) :] + self._even).max(axis=1)

    @property
    def _even(self) -> np.float32:
        """The even probability of each label, which is subtracted in all targets."""
        return np.float32(1 / len(self._data.labels))

    def _counts(self, counts: Floats) -> Floats:
        return np.concatenate([counts, np.full(len(self._data.open), OPEN_COUNT, dtype=np.float32)])

    def _pair(self, settings: FitSettings) -> _Pair:
        data, likeness = self._data, self._products.likeness(settings.share)
        size = len(data.targets)
        ridge = penalties_of(data, settings, self._counts(np.ones(size, dtype=np.float32)))
        return _Pair(
            np.float32(settings.weight * settings.scale),
            likeness[size:, :size].copy(),  # a view would keep all of the matrix
            RidgeFit.of(likeness[:size, :size], data.targets, ridge[:size]),
            RidgeFit.of(likeness, np.zeros((len(likeness), len(data.labels)), dtype=np.float32), ridge),
            ridge[size:, None],
        )

    def out_of_fold(self) -> Floats:
        data = self._data
        found = np.zeros((len(data), len(data.labels)), dtype=np.float32)
        for left_out in data.fold_members(data.folds):
            at = left_out + data.first_row
            targets = self._taught(at)
            for pair in self._pairs:
                found[left_out] += pair.factor * pair.whole.aiming_at(targets).out_of_fold(at)
        return found

    def _taught(self, left_out: Indices) -> Floats:
        """Return the targets of all texts after the open questions were answered; nothing is read of `left_out`."""
        targets = self._by_rows(left_out)
        for _ in range(_ROUNDS - 1):
            scores = np.zeros_like(self._data.open_prior)
            for pair in self._pairs:
                coefficients = pair.whole.aiming_at(targets).without(left_out)[len(self._data.targets) :]
                scores += pair.factor * (targets[len(self._data.targets) :] - pair.open_penalties * coefficients)
            targets = self._with_answers(scores, left_out)
        return targets

    def _by_rows(self, left_out: Indices) -> Floats:
        """Return the targets of all texts after the open questions were answered by the prompt and the rows alone."""
        scores = np.zeros_like(self._data.open_prior)
        for pair in self._pairs:
            scores += pair.factor * (pair.to_open @ pair.settled.without(left_out))
        return self._with_answers(scores, left_out)

    def _with_answers(self, scores: Floats, left_out: Indices) -> Floats:
        data = self._data
        rows = data.row_counts(out_of_fold=bool(len(left_out)))
        answers = apply_temperature(blend(data.open_prior, softmax(scores), data.seen(), rows), self._temperature)
        return np.concatenate([data.targets, answers - self._even])

    def weights(self, counts: Floats) -> Weights:
        total = Weights.zeros(self._features, len(self._data.labels))
        for one in self._settings:
            ridge = penalties_of(self._data, one, self._counts(counts))
            coefficients = RidgeFit.solve(self._products.likeness(one.share), self._targets, ridge)
            fit = Weights.zeros(self._features, len(self._data.labels)).gradient(
                self._features, coefficients, one.share
            )
            total = total.plus(fit.scaled(one.share), float(one.weight * one.scale))
        return total
