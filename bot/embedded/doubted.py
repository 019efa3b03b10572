"""The open questions of which a model is least sure, as directions of their meanings."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from bot.embedded.centres import grouped
from bot.embedded.features import Floats

FEWEST_DOUBTED = 10
"""Fewest open questions behind a direction, so that it tells of what many ask and of nobody's own words."""
_TEXTS_A_GROUP = 12
"""Measured: with smaller groups, more questions that the model does know are taken for unknown ones."""
_UNSURE = 0.5
"""Measured: a model is unsure of an open question whose likeliest category is less likely than this."""
_LEAST_SURE = 20
"""Measured: so many open questions are looked at even if the model is surer of them."""
_USUAL = 0.95
"""The share of the rows that are no nearer than is usual."""
_STRENGTH = 0.7
"""Measured: how much each standard deviation beyond that flattens the probabilities."""
_MOST = 3.0
"""Most standard deviations that count, for rows that are nearly all alike have hardly any."""
_FEWEST_ROWS = 30
"""Fewest rows that tell what is usual. The smallest training that was measured had 35."""


@dataclass(frozen=True)
class Doubted:
    """The open questions of which a model is least sure, and how near them a settled question usually is.

    Where many of them are alike, people ask for something that no row shows yet, or that no category is about.

    Attributes:
        directions: For each group of at least `FEWEST_DOUBTED` that are alike, the mean of their centred meanings, plus
            the mean of all. A text is as near as the largest of its products with these. They are scaled, so that
            the nearness of the rows has a standard deviation of 1.
        usual: The nearness that a twentieth of the rows exceeds.
    """

    directions: Floats = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    usual: float = 0.0

    @classmethod
    def of(cls, questions: Floats, confidences: Floats, rows: Floats) -> Self:
        """Find the directions; there are none without an encoder, or with too few open questions or rows.

        Args:
            questions: The meanings of the open questions.
            confidences: The probability of each one's likeliest category.
            rows: The meanings of the settled questions.
        """
        if len(questions) < FEWEST_DOUBTED or len(rows) < _FEWEST_ROWS or not rows.size:
            return cls()
        most = max(_LEAST_SURE, int((confidences < _UNSURE).sum()))
        unsure = questions[np.sort(np.argsort(confidences, kind="stable")[:most])]
        groups = grouped(unsure, _TEXTS_A_GROUP, FEWEST_DOUBTED)
        directions = np.array([unsure[groups == one].mean(axis=0) for one in np.unique(groups)]) + unsure.mean(axis=0)
        nearness = (rows @ directions.T).max(axis=1)
        spread = float(nearness.std())
        if not spread:
            return cls()
        return cls((directions / spread).astype(np.float32), float(np.quantile(nearness / spread, _USUAL)))

    def sharpness(self, meanings: Floats) -> Floats:
        """Return for each text how much flatter than usual (below 1) its probabilities should be."""
        if not self.directions.size or not meanings.size:
            return np.ones(len(meanings), dtype=np.float32)
        excess = np.clip((meanings @ self.directions.T).max(axis=1) - np.float32(self.usual), 0, _MOST)
        found: Floats = np.exp(-_STRENGTH * excess).astype(np.float32)
        return found
