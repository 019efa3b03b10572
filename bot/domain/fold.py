"""Out-of-fold answers: what a model answers to a training row when it was not trained on the row's fold."""

from bot.domain.thing import Thing


class OutOfFold(Thing):
    """A fine-tune's answer to one of its own training rows, out of fold."""

    finetune_id: str
    row_id: str
    fold: int
    category: str
    """Id of the category; the answer as it was written if the fine-tune's prompt has no such category."""
    confidence: float | None
    apart: bool
    """Whether all near-duplicates of the row lay in its fold, so that the answer was learned from none of them."""
    revision: str | None = None
    """The revision of the embedded model that answered; None for other models."""


class LineAnswer(Thing):
    """An out-of-fold answer as a provider reports it."""

    line: int
    """Line of the training file, from 1."""
    fold: int
    category: str
    """The label as it stands in the training file."""
    confidence: float | None = None


class TrainingReport(Thing):
    """A provider's report on a job that succeeded, beside its model."""

    out_of_fold: tuple[LineAnswer, ...] = ()
    trust: float | None = None
    """How much the new model counts beside the prompt, 0..1; below 1 it lost to the prompt out of fold."""
