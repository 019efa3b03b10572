"""Our things in LangSmith's shapes, and back."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from langsmith.schemas import Example, Feedback

from bot.domain.mirror import Annotation, Edit, Experiment, RowCopy, Trace

FEEDBACK_KEY = "category"
"""Of feedback on which category is right."""
ROW, SENT = "row", "sent"
"""Keys of an example's metadata: the row's id, and the fingerprint of the outputs that it was sent with."""


def run_of(trace: Trace, **more: object) -> dict[str, Any]:
    """A finished run, alone in its trace; `more` says in which project."""
    start = (trace.at - timedelta(milliseconds=trace.latency_ms or 0)).astimezone(UTC)
    tokens = {"input_tokens": trace.tokens_in, "output_tokens": trace.tokens_out}
    usage = tokens | {"total_tokens": trace.tokens_in + trace.tokens_out}
    metadata = {
        "purpose": trace.purpose.value,
        "about": trace.about,
        "release": trace.release_id,
        "prompt": trace.prompt_id,
        "confidence": trace.confidence,
        "cost_usd": trace.usd,
        "ls_provider": trace.model.provider,
        "ls_model_name": trace.model.model,
        "usage_metadata": usage if trace.usd is None else usage | {"total_cost": trace.usd},
    }
    return {
        "id": str(trace.id),
        "trace_id": str(trace.id),
        "dotted_order": start.strftime("%Y%m%dT%H%M%S%fZ") + str(trace.id),
        "name": "classify",
        "run_type": "llm",
        "start_time": start.isoformat(),
        "end_time": trace.at.astimezone(UTC).isoformat(),
        "tags": [trace.purpose.value],
        "inputs": {"messages": [{"role": "user", "content": trace.text}]},
        "outputs": {"reason": trace.reason, "category": trace.category},
        "extra": {"metadata": metadata},
    } | more


def example_of(row: RowCopy) -> dict[str, Any]:
    """The messages of the row's line in the training file, and its answer."""
    outputs = {"reason": row.reason, "category": row.category}
    return {
        "inputs": {"messages": [{"role": "system", "content": row.system}, {"role": "user", "content": row.text}]},
        "outputs": outputs,
        "split": row.split.value,
        "metadata": {
            ROW: row.row_id,
            "source": row.source.value,
            "prompt": row.prompt_id,
            "settled_at": row.settled_at.isoformat(),
            SENT: fingerprint(outputs),
        },
    }


def fingerprint(outputs: Mapping[str, Any]) -> str:
    """The same for the same outputs, in whatever order a server gives them back."""
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()[:32]


def edit_of(example: Example) -> Edit | None:
    """What a person made of a row or of a run; None where the example is as it was sent, or is none of ours."""
    about, outputs = example.metadata or {}, example.outputs or {}
    row_id = about[ROW] if isinstance(about.get(ROW), str) else None
    if about.get(SENT) == fingerprint(outputs) if row_id else example.source_run_id is None:
        return None
    return Edit(
        row_id=row_id,
        trace_id=None if row_id else example.source_run_id,
        category=_words(outputs.get("category")),
        reason=_words(outputs.get("reason")),
        by=None,  # the API tells the author of no edit
        at=(example.modified_at or example.created_at).astimezone(UTC),
    )


def annotation_of(feedback: Feedback) -> Annotation | None:
    """A person's word on a category; None where the feedback says something else."""
    correction = feedback.correction
    named = correction.get("category") if isinstance(correction, dict) else correction
    category = _words(named) or (_words(feedback.value) if feedback.key == FEEDBACK_KEY else None)
    if category is None or feedback.run_id is None:
        return None
    # Their id: a name is what a person chooses, and who may correct is told by it.
    by = feedback.feedback_source.user_id if feedback.feedback_source else None
    return Annotation(
        id=feedback.id,
        trace_id=feedback.run_id,
        category=category,
        comment=feedback.comment,
        by=None if by is None else str(by),
        at=feedback.modified_at.astimezone(UTC),
    )


def experiment_about(experiment: Experiment, version: datetime | None) -> dict[str, Any]:
    """An experiment's metadata. Of the dataset it says what the SDK's own evaluation says: moment and split.

    Args:
        experiment: which.
        version: the moment that its tag stands for.
    """
    return {
        "release": experiment.release_id,
        "prompt": experiment.prompt_id,
        "model": str(experiment.model),
        "dataset_version": version.isoformat() if version else None,
        "dataset_splits": [experiment.version] if experiment.version else None,
        "num_repetitions": 1,
    }


def named(space: uuid.UUID | str, *what: object) -> uuid.UUID:
    """The same id for the same words."""
    return uuid.uuid5(uuid.UUID(str(space)), "\0".join(str(one) for one in what))


def _words(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
