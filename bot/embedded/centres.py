"""Centres of texts that are alike: what a model keeps of its rows in place of their vectors."""

import numpy as np

from bot.embedded.features import Floats
from bot.embedded.kernel import Indices

FEWEST_TEXTS = 3
"""Fewest texts behind a centre, so that no centre is the vector of one text."""
_TEXTS_A_CENTRE = 4
"""Texts for each of the first centres. Measured: with fewer centres, a model notices less of what is new to it."""
_ROUNDS = 4
"""Times that each text moves to its nearest centre."""


def grouped(vectors: Floats, texts: int = _TEXTS_A_CENTRE, fewest: int = FEWEST_TEXTS) -> Indices:
    """Return the group of each text: -1 for all if there are fewer than `fewest`; else each group has so many or more.

    The first centres are texts far from each other, so equal texts always give equal groups.

    Args:
        vectors: The texts.
        texts: The number of texts for each of the first centres.
        fewest: The fewest texts of a group.
    """
    if len(vectors) < fewest:
        return np.full(len(vectors), -1)
    chosen, nearest = [0], vectors @ vectors[0]
    for _ in range(len(vectors) // texts - 1):
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    centres = vectors[chosen]
    for _ in range(_ROUNDS):
        centres = centres_of(vectors, (vectors @ centres.T).argmax(axis=1), fewest=1)
    likeness = vectors @ centres.T
    groups: Indices = likeness.argmax(axis=1)
    while (counts := np.bincount(groups, minlength=likeness.shape[1])).min() < fewest and likeness.shape[1] > 1:
        likeness = np.delete(likeness, int(counts.argmin()), axis=1)
        groups = likeness.argmax(axis=1)
    return groups


def centres_of(vectors: Floats, groups: Indices, fewest: int = FEWEST_TEXTS) -> Floats:
    """Return the mean of each group with so many texts, of length 1."""
    sums = np.zeros((groups.max(initial=-1) + 1, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, groups[groups >= 0], vectors[groups >= 0])
    sums = sums[np.bincount(groups[groups >= 0], minlength=len(sums)) >= fewest]
    centres: Floats = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return centres


def summary_of(vectors: Floats) -> tuple[Floats, Floats]:
    """Return the centres of texts, and how like each text is to the nearest of them that it has no part in."""
    groups = grouped(vectors)
    centres = centres_of(vectors, groups)
    if not len(centres):
        return centres, np.zeros(len(vectors), dtype=np.float32)
    sums = np.zeros_like(centres)
    np.add.at(sums, groups, vectors)
    without = sums[groups] - vectors
    without /= np.maximum(np.linalg.norm(without, axis=1, keepdims=True), 1e-9)
    likeness = vectors @ centres.T
    likeness[np.arange(len(vectors)), groups] = (vectors * without).sum(axis=1)
    nearest: Floats = likeness.max(axis=1)
    return centres, nearest
