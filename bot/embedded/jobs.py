"""`/v1/fine_tuning/jobs`: the HTTP endpoints; `runner.py` runs the jobs."""

import re
import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.embedded.errors import RequestRefused
from bot.embedded.files import Files
from bot.embedded.ledger import ENDED_STATUSES, Ledger
from bot.embedded.models import Models
from bot.embedded.pages import paginate, parse_body, parse_limit, require_text
from bot.embedded.runner import Runner

_HYPERPARAMETER_BOUNDS: dict[str, tuple[type, float, float]] = {
    "n_epochs": (int, 1, 50),
    "batch_size": (int, 1, 256),
    "learning_rate_multiplier": (float, 0.0001, 100),
}


class Jobs:
    """Endpoints that create, list and cancel fine-tuning jobs in OpenAI's format."""

    def __init__(
        self, ledger: Ledger, runner: Runner, files: Files, models: Models, clock: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._runner = runner
        self._files = files
        self._models = models
        self._clock = clock
        root = "/v1/fine_tuning/jobs"
        self.routes = [
            Route(root, self._create, methods=["POST"]),
            Route(root, self._list, methods=["GET"]),
            Route(root + "/{id}", self._get, methods=["GET"]),
            Route(root + "/{id}/cancel", self._cancel, methods=["POST"]),
            Route(root + "/{id}/events", self._events, methods=["GET"]),
            Route(root + "/{id}/checkpoints", self._checkpoints, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        body = await parse_body(request)
        model = require_text(body, "model")
        await self._models.get(model)  # a model that can't answer here can't be trained further either
        training = await self._require_file(body, "training_file")
        validation = (
            await self._require_file(body, "validation_file") if body.get("validation_file") is not None else None
        )
        hyper = _hyperparameters(body)
        record: dict[str, Any] = {
            "id": f"ftjob-{secrets.token_hex(12)}",
            "object": "fine_tuning.job",
            "created_at": int(self._clock()),
            "error": None,
            "estimated_finish": None,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": hyper,
            "integrations": [],
            "metadata": _metadata(body),
            "method": {"type": "supervised", "supervised": {"hyperparameters": hyper}},
            "model": model,
            "organization_id": "org-local",
            "result_files": [],
            "seed": _seed(body),
            "status": "validating_files",
            "suffix": _suffix(body),
            "trained_tokens": None,
            "training_file": training,
            "validation_file": validation,
        }
        await self._ledger.put(record)
        await self._ledger.add_event(record["id"], f"Created fine-tuning job: {record['id']}")
        self._runner.start_job(record["id"])
        return JSONResponse(record)

    async def _require_file(self, body: dict[str, Any], name: str) -> str:
        wanted = require_text(body, name)
        record = await self._files.find(wanted)
        if record is None:
            raise RequestRefused(f"invalid {name}: {wanted}", param=name)
        if record["purpose"] != "fine-tune":
            raise RequestRefused(
                f"File '{wanted}' has the purpose '{record['purpose']}', but 'fine-tune' is required.", param=name
            )
        return wanted

    async def _require_job(self, request: Request) -> dict[str, Any]:
        name = request.path_params["id"]
        record = await self._ledger.get(name)
        if record is None:
            raise RequestRefused(
                f"Could not find fine tune: {name}", status=404, param="fine_tuning_job_id", code="fine_tune_not_found"
            )
        return record

    async def _list(self, request: Request) -> Response:
        limit = parse_limit(request, 20, 100)
        wanted = {
            match[1]: value
            for key, value in request.query_params.items()
            if (match := re.fullmatch(r"metadata\[(.+)\]", key))
        }
        found = [job for job in await self._ledger.all() if wanted.items() <= (job["metadata"] or {}).items()]
        if request.query_params.get("metadata") == "null":
            found = [job for job in found if not job["metadata"]]
        return JSONResponse(paginate(found, request.query_params.get("after"), limit))

    async def _get(self, request: Request) -> Response:
        record = await self._require_job(request)
        await self._runner.resume(record)
        return JSONResponse(record)

    async def _cancel(self, request: Request) -> Response:
        record = await self._require_job(request)
        if record["status"] in ENDED_STATUSES:
            raise RequestRefused(
                f"Job has already completed: {record['id']} ({record['status']})", param="fine_tuning_job_id"
            )
        await self._runner.cancel(record["id"])
        return JSONResponse(await self._require_job(request))

    async def _events(self, request: Request) -> Response:
        record = await self._require_job(request)
        events = await self._ledger.events(record["id"])
        return JSONResponse(paginate(events, request.query_params.get("after"), parse_limit(request, 20, 100)))

    async def _checkpoints(self, request: Request) -> Response:
        record = await self._require_job(request)
        found = await self._ledger.checkpoints(record["id"])
        return JSONResponse(paginate(found, request.query_params.get("after"), parse_limit(request, 10, 100)))


def _invalid(name: str, words: str) -> RequestRefused:
    return RequestRefused(f"Invalid '{name}': {words}", param=name, code="invalid_value")


def _hyperparameters(body: dict[str, Any]) -> dict[str, Any]:
    method = body.get("method") or {}
    if not isinstance(method, dict) or method.get("type", "supervised") != "supervised":
        raise _invalid("method", "this server trains with the supervised method only.")
    path = "method.supervised.hyperparameters"
    given = (method.get("supervised") or {}).get("hyperparameters")
    if given is None:
        path, given = "hyperparameters", body.get("hyperparameters") or {}
    if not isinstance(given, dict):
        raise _invalid(path, "expected an object.")
    return {
        name: _number_or_auto(given.get(name, "auto"), f"{path}.{name}", *bounds)
        for name, bounds in _HYPERPARAMETER_BOUNDS.items()
    }


def _number_or_auto(value: object, name: str, kind: type, minimum: float, maximum: float) -> object:
    if value in ("auto", None):
        return "auto"
    allowed = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not minimum <= value <= maximum:
        raise _invalid(name, f"expected 'auto' or a number from {minimum:g} to {maximum:g}.")
    return value


def _metadata(body: dict[str, Any]) -> dict[str, str] | None:
    given = body.get("metadata")
    if given is None:
        return None
    well_formed = isinstance(given, dict) and len(given) <= 16
    if not well_formed or not all(
        isinstance(value, str) and len(key) <= 64 and len(value) <= 512 for key, value in given.items()
    ):
        raise _invalid("metadata", "up to 16 pairs; keys up to 64 characters, values strings up to 512.")
    return dict(given)


def _seed(body: dict[str, Any]) -> int:
    seed = body.get("seed")
    if seed is None:
        return secrets.randbelow(2**31)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise _invalid("seed", "expected a whole number from 0 to 2147483647.")
    return seed


def _suffix(body: dict[str, Any]) -> str | None:
    suffix = body.get("suffix")
    if suffix is None:
        return None
    if not isinstance(suffix, str) or not 1 <= len(suffix) <= 64:
        raise _invalid("suffix", "expected a string of 1 to 64 characters.")
    return re.sub(r"[^a-z0-9_-]+", "-", suffix.casefold()).strip("-") or "local"
