"""Conversions between our domain objects and LangSmith's data."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from langsmith.schemas import Example, Feedback

from bot.domain.mirror import Annotation, Edit, Experiment, RowCopy, Trace

FEEDBACK_KEY = "category"
"""Key of feedback that says which category is right."""
ROW_KEY = "row"
"""Key of an example's metadata: the row's id."""
SENT_KEY = "sent"
"""Key of an example's metadata: the fingerprint of the outputs as they were sent."""


def run_of(trace: Trace, **more: object) -> dict[str, Any]:
    """Return a trace as a finished run, the only one of its LangSmith trace; `more` names the project."""
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
    """Return a row as an example: the messages and the answer of its line in the training file."""
    outputs = {"reason": row.reason, "category": row.category}
    return {
        "inputs": {"messages": [{"role": "system", "content": row.system}, {"role": "user", "content": row.text}]},
        "outputs": outputs,
        "split": row.split.value,
        "metadata": {
            ROW_KEY: row.row_id,
            "source": row.source.value,
            "prompt": row.prompt_id,
            "settled_at": row.settled_at.isoformat(),
            SENT_KEY: fingerprint(outputs),
        },
    }


def fingerprint(outputs: Mapping[str, Any]) -> str:
    """Return a hash of the outputs that does not depend on the order of their keys."""
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()[:32]


def edit_of(example: Example) -> Edit | None:
    """Return a person's edit of a row or a run, or None if the example is unchanged or not ours."""
    about, outputs = example.metadata or {}, example.outputs or {}
    row_id = about[ROW_KEY] if isinstance(about.get(ROW_KEY), str) else None
    if about.get(SENT_KEY) == fingerprint(outputs) if row_id else example.source_run_id is None:
        return None
    return Edit(
        row_id=row_id,
        trace_id=None if row_id else example.source_run_id,
        category=_nonblank(outputs.get("category")),
        reason=_nonblank(outputs.get("reason")),
        by=None,  # the API does not tell who edited
        at=(example.modified_at or example.created_at).astimezone(UTC),
    )


def annotation_of(feedback: Feedback) -> Annotation | None:
    """Return the category that a person gave as feedback, or None if the feedback is about something else."""
    correction = feedback.correction
    corrected = correction.get("category") if isinstance(correction, dict) else correction
    category = _nonblank(corrected) or (_nonblank(feedback.value) if feedback.key == FEEDBACK_KEY else None)
    if category is None or feedback.run_id is None:
        return None
    # The id, not the name: people choose their names, and permissions depend on this value.
    by = feedback.feedback_source.user_id if feedback.feedback_source else None
    return Annotation(
        id=feedback.id,
        trace_id=feedback.run_id,
        category=category,
        comment=feedback.comment,
        by=None if by is None else str(by),
        at=feedback.modified_at.astimezone(UTC),
    )


def experiment_metadata(experiment: Experiment, version: datetime | None) -> dict[str, Any]:
    """Return an experiment's metadata.

    The dataset's version and split have the keys that the SDK's own evaluation uses.

    Args:
        experiment: An evaluation of one release.
        version: The moment of the dataset version that the experiment's tag names.
    """
    return {
        "release": experiment.release_id,
        "prompt": experiment.prompt_id,
        "model": str(experiment.model),
        "dataset_version": version.isoformat() if version else None,
        "dataset_splits": [experiment.version] if experiment.version else None,
        "num_repetitions": 1,
    }


def stable_id(namespace: uuid.UUID | str, *parts: object) -> uuid.UUID:
    """Return an id that is always the same for the same namespace and parts."""
    return uuid.uuid5(uuid.UUID(str(namespace)), "\0".join(str(part) for part in parts))


def _nonblank(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
