"""The rows of a training with all that is computed of them once: features, targets, folds and prior knowledge."""

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.embedded.centres import centres_of, grouped
from bot.embedded.encoders import Encoder, encoded
from bot.embedded.features import Floats, TextSpace, casefolded, subject_words
from bot.embedded.kernel import Features, Indices, Products
from bot.embedded.linear import documents_of, read_prompt_model, softmax, space_of
from bot.embedded.prompt import guess_labels
from bot.embedded.trained import PRIOR_ROWS, KnownTexts, TrainedModel, blend, digest, flatten_prior

LabelledText = tuple[str, str]
"""A question and its label."""

EXACT_ROWS = 2_000
"""Number of rows from which conjugate gradients replace the exact solver."""
FOLDS = 5
_FOLDS_OF_MANY = 3
_MOST_ALIKE = 0.05
"""Largest share of the rows that one fold gets because they are nearly equal."""
MOST_OPEN = 1_000
"""Most open questions that a training looks at; fewer if rows and open questions would be too many for the solver."""
_KNOWN_ROWS = 1_000
"""Most questions whose centres a model keeps, to tell what is new to it."""


@dataclass(frozen=True)
class TrainingTask:
    """The input of one training run.

    Attributes:
        rows: The settled questions.
        prompt: The system message.
        parent: The model that this training builds on.
        encoder: The sentence encoder; None for none.
        seed: It decides the folds.
        strength: How far the weights may move from zero; 1 gave the best measured results.
        open: Questions that nobody has settled. They teach what a company asks, and no answer.
    """

    rows: Sequence[LabelledText]
    prompt: str = ""
    parent: TrainedModel = field(default_factory=TrainedModel)
    encoder: Encoder | None = None
    seed: int = 0
    strength: float = 1.0
    open: Sequence[str] = ()


def labels_of(task: TrainingTask) -> tuple[str, ...]:
    """Return the labels of the rows, of the parent and of the prompt.

    Labels of the prompt count only if they include at least half of the rows' labels; else they are of another kind.
    """
    own = sorted({label for _, label in task.rows})
    named = guess_labels(task.prompt)
    more = named if 2 * len(set(own) & set(named)) >= len(own) else []
    return tuple(dict.fromkeys([*own, *task.parent.labels, *more]))


def folds_of(rows: Sequence[LabelledText], seed: int, folds: int) -> list[int]:
    """Assign rows to folds, with labels spread evenly and nearly equal questions together; the seed decides the rest.

    Questions of the same subject (`features.subject_words`) count as nearly equal, unless these are more than
    `_MOST_ALIKE` of all rows: they would fill a fold.
    """

    def shuffle_key(text: str) -> str:
        return hashlib.sha256(f"{seed} {text}".encode()).hexdigest()

    plain = [" ".join(casefolded(text).split()) for text, _ in rows]
    subjects = [" ".join(sorted(subject_words(text))) for text, _ in rows]
    counts, most = Counter(subjects), max(3.0, _MOST_ALIKE * len(rows))
    keys = [
        subject if subject and counts[subject] <= most else text for subject, text in zip(subjects, plain, strict=True)
    ]
    fold_numbers: dict[str, int] = {}
    for at in sorted(range(len(rows)), key=lambda at: (rows[at][1], shuffle_key(keys[at]))):
        fold_numbers.setdefault(keys[at], len(fold_numbers) % folds)
    return [fold_numbers[key] for key in keys]


class TrainingSet:
    """The features, true labels and prior probabilities of all rows.

    The prompt's texts come first in the features and targets, then the rows.
    """

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        self.labels = labels_of(task)
        documents = documents_of(task.prompt, self.labels) if task.prompt else []
        self.questions = [text for text, _ in task.rows]
        self.exact = len(task.rows) < EXACT_ROWS
        self.open = list(task.open)[: max(0, min(MOST_OPEN, EXACT_ROWS - len(task.rows)))]
        prompt_texts = [text for text, _ in documents]
        encoder = encoded(task.encoder, [*prompt_texts, *self.questions, *self.open]) if task.encoder else None
        space = space_of(prompt_texts, [*self.questions, *self.open], encoder)
        self.features = Features.of(space, [*prompt_texts, *self.questions])
        self.open_features = Features.of(space, self.open)
        self.space = TextSpace(space.vocabulary, task.encoder, space.centre)
        self.first_row = len(documents)
        all_truth = np.array([self.labels.index(label) for _, label in [*documents, *task.rows]])
        self.truth = all_truth[self.first_row :]
        self.classes = np.unique(all_truth)
        self.targets = np.zeros((len(all_truth), len(self.labels)), dtype=np.float32)
        self.targets[np.arange(len(all_truth)), all_truth] = 1
        self.targets -= np.float32(1 / len(self.labels))
        prompt_model = read_prompt_model(task.prompt, self.labels, encoder)
        self.prior, self.open_prior = (
            self._prior(softmax(prompt_model.all_logits(texts)), texts) for texts in (self.questions, self.open)
        )
        folds = FOLDS if self.exact else _FOLDS_OF_MANY
        self.folds = np.array(folds_of(task.rows, task.seed, folds))

    def __len__(self) -> int:
        return len(self.questions)

    def _prior(self, prompt_only: Floats, texts: Sequence[str]) -> Floats:
        parent = self.task.parent
        return (
            parent.raw_probabilities(prompt_only, self.labels, texts) if parent.layers else flatten_prior(prompt_only)
        )

    def with_prompt(self, chosen: Indices) -> Indices:
        """Return where the prompt's texts and the chosen rows stand in the features."""
        return np.concatenate([np.arange(self.first_row), chosen + self.first_row])

    def fold_members(self, folds: Indices) -> Iterator[Indices]:
        for fold in np.unique(folds):
            yield np.flatnonzero(folds == fold)

    def row_counts(self, *, out_of_fold: bool = False) -> Floats:
        """Return the number of rows of each label; out of fold, of those in the other folds on average."""
        found: Floats = np.bincount(self.truth, minlength=len(self.labels)).astype(np.float32)
        folds = len(np.unique(self.folds))
        return found * np.float32((folds - 1) / max(folds, 1)) if out_of_fold else found

    def seen(self) -> Floats:
        """Return the number of rows of each label that the prior knowledge weighs as much as."""
        return PRIOR_ROWS + self.task.parent.rows_of(self.labels)

    def blend(self, predicted: Floats, chosen: Indices, rows: Floats, trust: float = 1.0) -> Floats:
        """Blend predictions for the chosen rows with the prior, as `TrainedModel.raw_probabilities` does.

        Args:
            predicted: The probabilities, one row per chosen row.
            chosen: The rows.
            rows: The number of rows of each label behind the predictions.
            trust: The layer's share where rows alone would decide.
        """
        return blend(self.prior[chosen], predicted, self.seen(), rows, trust)

    @functools.cached_property
    def products(self) -> Products:
        return self.features.products()

    def known(self) -> tuple[KnownTexts, Floats]:
        """Return what the model remembers of its texts, and each row's likeness to the nearest of it of other folds.

        That are the vectors of the prompt's texts, and the centres of the rows (`centres.py`).
        """
        digests = frozenset(map(digest, self.questions)) | self.task.parent.known.digests
        if self.task.encoder is None:
            return KnownTexts(digests=digests), np.zeros(len(self), dtype=np.float32)
        order = sorted(range(len(self)), key=lambda at: digest(self.questions[at]))
        kept = np.array(sorted(order[:_KNOWN_ROWS]))
        prompt, rows = self.features.meanings[: self.first_row], self.features.meanings[kept + self.first_row]
        groups, folds = grouped(rows), self.folds[kept]
        nearest = np.zeros(len(self), dtype=np.float32)
        for left_out in self.fold_members(self.folds):
            there = folds != self.folds[left_out[0]]
            others = np.concatenate([prompt, centres_of(rows[there], groups[there], fewest=1)])
            if len(others):
                meanings = self.features.meanings[left_out + self.first_row]
                nearest[left_out] = (meanings @ others.T).max(axis=1)
        vectors = np.concatenate([prompt, centres_of(rows, groups)])
        return KnownTexts(vectors, float(np.median(nearest)), digests), nearest
