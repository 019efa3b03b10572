"""Ridge regression and logistic regression on the likeness of texts.

The likeness of two texts joins their characters and their meaning: (1 - share) · characters + share · meaning. Each
part is a cosine similarity, so the likeness of a text to itself is 1. Both solvers work on the same features: the
characters scaled by √(1 - share) and the meaning scaled by √share.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bot.embedded.features import Floats, TextSpace

if TYPE_CHECKING:  # scipy loads its parts at first use, which takes a while and 50 MB
    from scipy.sparse import csr_matrix

Indices = NDArray[np.intp]

_DENSE_SHARE = 10
"""Features that occur in more than one text of this many are multiplied as a dense matrix, which is faster."""
_CG_STEPS = 40
_CG_TOLERANCE = 3e-3


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread, so that the same numbers give the same results on any machine.

    The limit covers only what is loaded already, and scipy brings a BLAS of its own.
    """
    for part in ("linalg", "optimize", "sparse"):
        importlib.import_module(f"scipy.{part}")
    with threadpool_limits(limits=1):
        yield


@dataclass(frozen=True)
class Features:
    """The features of some texts: a sparse matrix of characters and a dense one of meanings, one row per text each."""

    characters: "csr_matrix"
    meanings: Floats

    @classmethod
    def of(cls, space: TextSpace, texts: Sequence[str]) -> "Features":
        return cls(space.vocabulary.matrix(texts), space.meanings(texts))

    def __len__(self) -> int:
        return int(self.characters.shape[0])

    def rows(self, chosen: Indices) -> "Features":
        return Features(self.characters[chosen], self.meanings[chosen])

    def followed_by(self, other: "Features") -> "Features":
        """Return the features of these texts and then of the other ones."""
        characters = scipy.sparse.csr_matrix(scipy.sparse.vstack([self.characters, other.characters]))
        return Features(characters, np.concatenate([self.meanings, other.meanings]))

    def products(self) -> "Products":
        return Products(character_products(self.characters, self.characters), self.meanings @ self.meanings.T)


@dataclass(frozen=True)
class Products:
    """The likeness of each text to each other, apart by characters and by meaning: two square matrices."""

    characters: Floats
    meanings: Floats

    def likeness(self, share: float) -> Floats:
        """Return the likeness with this share of meaning."""
        found: Floats = np.float32(1 - share) * self.characters + np.float32(share) * self.meanings
        return found


def character_products(left: "csr_matrix", right: "csr_matrix") -> Floats:
    """Return `left @ right.T` as a dense matrix."""
    common = np.diff(right.tocsc().indptr) * _DENSE_SHARE > right.shape[0]
    products: Floats = (left[:, ~common] @ right[:, ~common].T).toarray()
    products += left[:, common].toarray() @ right[:, common].toarray().T
    return products


@dataclass(frozen=True)
class RidgeFit:
    """An exact ridge regression: `coefficients` has one row per text and one column per target.

    `inverse` is the inverse of the regularized likeness matrix, from which answers out of fold follow without a refit.
    """

    coefficients: Floats
    inverse: Floats
    targets: Floats

    @classmethod
    def of(cls, likeness: Floats, targets: Floats, ridge: Floats) -> "RidgeFit":
        """Fit the targets; `ridge` holds the penalty of each text: the larger it is, the less the text counts."""
        factor = scipy.linalg.cho_factor(likeness + np.diag(ridge).astype(np.float32), lower=True)
        inverse: Floats = scipy.linalg.cho_solve(factor, np.eye(len(targets), dtype=np.float32))
        return cls(inverse @ targets, inverse, targets)

    @staticmethod
    def solve(likeness: Floats, targets: Floats, ridge: Floats) -> Floats:
        """Return the coefficients alone, which takes a third of the time of a whole fit."""
        factor = scipy.linalg.cho_factor(likeness + np.diag(ridge).astype(np.float32), lower=True)
        coefficients: Floats = scipy.linalg.cho_solve(factor, targets)
        return coefficients

    def out_of_fold(self, left_out: Indices) -> Floats:
        """Return the values of these texts as a fit on all other texts would predict them.

        The formula is that of the block jackknife: y - (G⁻¹ of the block)⁻¹ · coefficients of the block.
        """
        predicted: Floats = self.targets[left_out] - self._moved(left_out)
        return predicted

    def without(self, left_out: Indices) -> Floats:
        """Return the coefficients of a fit without these texts; theirs are zero, or nearly so."""
        found: Floats = self.coefficients - self.inverse[:, left_out] @ self._moved(left_out)
        return found

    def _moved(self, left_out: Indices) -> Floats:
        block = self.inverse[np.ix_(left_out, left_out)]
        moved: Floats = np.linalg.solve(block, self.coefficients[left_out])
        return moved

    def aiming_at(self, targets: Floats) -> "RidgeFit":
        """Return the fit of other targets to the same texts."""
        return RidgeFit(self.inverse @ targets, self.inverse, targets)


def ridge_weights(
    features: Features, targets: Floats, share: float, ridge: Floats, start: "Weights | None"
) -> "Weights":
    """Fit the ridge regression of `RidgeFit` by conjugate gradients.

    This is for so many texts that the matrix of their likenesses would be too large for memory.

    Args:
        features: The texts.
        targets: One row per text and one column per target.
        share: The share of meaning in the likeness.
        ridge: The penalty of each text.
        start: The weights to start from, such as those of a similar fit.
    """
    counts = (1 / ridge)[:, None].astype(np.float32)
    found = start or Weights.zeros(features, targets.shape[1])
    gradient = found.gradient(features, (targets - found.values(features, share)) * counts, share).minus(found)
    direction, size = gradient, gradient.squares()
    goal = size * _CG_TOLERANCE**2
    for _ in range(_CG_STEPS):
        if np.all(size <= goal):
            break
        curved = found.gradient(features, direction.values(features, share) * counts, share).plus(direction, 1.0)
        step = (size / np.maximum(direction.dot(curved), 1e-20)).astype(np.float32)
        found, gradient = found.plus(direction, step), gradient.plus(curved, -step)
        grown = gradient.squares()
        turn = (grown / np.maximum(size, 1e-20)).astype(np.float32)
        direction = gradient.plus(direction, turn)
        size = grown
    return found


@dataclass(frozen=True)
class Weights:
    """The weights of characters and of meanings, one column per target."""

    characters: Floats
    meanings: Floats

    @classmethod
    def zeros(cls, features: Features, targets: int) -> "Weights":
        sizes = features.characters.shape[1], features.meanings.shape[1]
        return cls(*(np.zeros((size, targets), dtype=np.float32) for size in sizes))

    def values(self, features: Features, share: float) -> Floats:
        """Return the values that these weights give each text."""
        found: Floats = (1 - share) ** 0.5 * (features.characters @ self.characters)
        found += share**0.5 * (features.meanings @ self.meanings)
        return found

    def scaled(self, share: float) -> "Weights":
        """Return the weights that give the same values on features that are not scaled by the share."""
        return Weights(np.float32((1 - share) ** 0.5) * self.characters, np.float32(share**0.5) * self.meanings)

    def scores(self, features: Features) -> Floats:
        """Return the values that these weights give each text, on features that are not scaled."""
        found: Floats = features.characters @ self.characters
        found += features.meanings @ self.meanings
        return found

    def gradient(self, features: Features, residuals: Floats, share: float) -> "Weights":
        characters = (1 - share) ** 0.5 * (features.characters.T @ residuals)
        return Weights(characters, share**0.5 * (features.meanings.T @ residuals))

    def plus(self, other: "Weights", factor: Floats | float) -> "Weights":
        return Weights(self.characters + factor * other.characters, self.meanings + factor * other.meanings)

    def minus(self, other: "Weights") -> "Weights":
        return self.plus(other, -1.0)

    def dot(self, other: "Weights") -> Floats:
        found: Floats = np.einsum("ij,ij->j", self.characters, other.characters)
        found += np.einsum("ij,ij->j", self.meanings, other.meanings)
        return found

    def squares(self) -> Floats:
        return self.dot(self)


def logistic_coefficients(
    likeness: Floats, truth: Indices, classes: int, weights: Floats, strength: float
) -> tuple[Floats, Floats]:
    """Fit a multinomial logistic regression on the likenesses of the texts.

    Args:
        likeness: The likeness of each text to each other.
        truth: The class of each text.
        classes: The number of classes.
        weights: How much each text counts.
        strength: How far the weights may move from zero (C in the usual notation).

    Returns:
        Coefficients, one row per text and one column per class, and biases. A text's scores are its likenesses to the
        texts times the coefficients, plus the biases.
    """
    size = len(truth)
    root = scipy.linalg.cholesky(likeness + 1e-4 * np.eye(size, dtype=np.float32), lower=True)
    rows = np.arange(size)

    def loss(flat: Floats) -> tuple[float, Floats]:
        moved = flat.reshape(size + 1, classes)
        scores = root @ moved[:-1] + moved[-1]
        scores -= scores.max(axis=1, keepdims=True)
        sums = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        errors = np.exp(scores - sums)
        errors[rows, truth] -= 1
        errors *= weights[:, None]
        gradient = np.vstack([root.T @ errors + moved[:-1] / strength, errors.sum(axis=0)])
        fit = float((weights * (sums[:, 0] - scores[rows, truth])).sum())
        return fit + float((moved[:-1] ** 2).sum()) / (2 * strength), gradient.ravel()

    start = np.zeros((size + 1) * classes)
    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200, "gtol": 1e-4 * size / classes}
    )
    moved = found.x.reshape(size + 1, classes)
    coefficients = scipy.linalg.solve_triangular(root.T, moved[:-1], lower=False)
    return coefficients.astype(np.float32), moved[-1].astype(np.float32)
