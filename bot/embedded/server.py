"""The embedded model as one ASGI application that speaks OpenAI's API."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.embedded.completions import Completions
from bot.embedded.decisions import Decisions
from bot.embedded.encoders import Encoder, Vectors, load, parts_of
from bot.embedded.errors import HANDLERS, RequestRefused, error_response
from bot.embedded.fetched import EncoderUnavailable
from bot.embedded.files import Files
from bot.embedded.jobs import Jobs
from bot.embedded.ledger import Ledger
from bot.embedded.models import CHARACTERS, Models
from bot.embedded.runner import Runner
from bot.embedded.shelf import ArtifactShelf
from bot.embedded.tickets import is_ticket

_log = logging.getLogger(__name__)
_READ_TOGETHER = 16
"""Number of texts that are encoded while others wait. More at once gain nothing, and would delay a question."""


class LocalModel:
    """An OpenAI-compatible classifier that can be fine-tuned.

    Use it as an async context manager, or call `start` and `stop`.

    Args:
        shelf: Storage for files, jobs and trained models. Processes that share a shelf serve the same models.
        clock: Returns the current time in seconds since 1970.
        api_key: Key that every caller must send as a bearer token. Without a key, every caller is accepted.
        lease: Seconds without a heartbeat after which another process may take over an unfinished job.
        encoder: A sentence encoder, or the name of an installed one; see `encoders.load`. Empty for none.

    Attributes:
        revision: Returns a model's revision by its name; see `Models.revision`.

    Raises:
        ValueError: The encoder can't be loaded.
    """

    def __init__(
        self,
        shelf: ArtifactShelf,
        *,
        clock: Callable[[], float] = time.time,
        api_key: str | None = None,
        lease: float = 15.0,
        encoder: Encoder | str = "",
    ) -> None:
        self._encoder = load(encoder) if isinstance(encoder, str) else encoder
        self._loading: asyncio.Task[Vectors] | None = None
        self._renewing: asyncio.Task[None] | None = None
        models, files, ledger = Models(shelf, clock, self._encoder), Files(shelf, clock), Ledger(shelf, clock)
        self.revision = models.revision
        self._models = models
        self._runner = Runner(ledger, files, models, lease)
        routes = [
            *Completions(models, clock).routes,
            *Decisions(models).routes,
            *files.routes,
            *Jobs(ledger, self._runner, files, models, clock).routes,
            *_model_routes(models),
        ]
        inner = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=self._lifespan)
        self.app: ASGIApp = _KeyCheck(inner, api_key) if api_key else inner

    async def start(self) -> None:
        """Resume the jobs that an earlier process left unfinished, and take over what it read prompts as.

        All else works without this call.

        Models that an earlier learner trained lose their vectors of single texts meanwhile.
        """
        await self._models.prompts.load()
        await self._runner.start()
        self._renewing = asyncio.create_task(self._renew())

    def reads_here(self, name: str) -> bool:
        """Return whether a model needs no service for its vectors, so that no text leaves this process."""
        return name == CHARACTERS or self._encoder is None or self._encoder.in_package

    def load_encoder(self) -> None:
        """Start to load the encoder in the background. Without this call, the first answer waits for it."""
        if self._encoder and self._encoder.in_package and self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._encoder.encode, ["…"]))

    async def vectors(self, texts: Sequence[str]) -> Vectors | None:
        """Return one vector of length 1 per text, by meaning; None without an encoder, or while its service fails."""
        if self._encoder is None:
            return None
        try:
            await self._encoder.prepare(texts)
        except EncoderUnavailable as error:
            _log.warning("no vectors from %s (%s): likeness is by words alone", error.encoder, error.trouble)
            return None
        return await asyncio.to_thread(self._encoder.encode, texts)

    async def read_ahead(self, name: str, questions: Sequence[str], examples: Sequence[str]) -> None:
        """Encode what a model is asked and shown soon: together, that takes half as long as one by one.

        Tickets are left out: which of their sentences are read depends on the model.
        """
        if self._encoder is None or name == CHARACTERS:
            return
        asked = [one for one in questions if not is_ticket(one)]
        texts = [*dict.fromkeys([*asked, *(part for one in asked for part in parts_of(one)), *examples])]
        try:
            await self._encoder.prepare(texts)
        except EncoderUnavailable:
            return  # the answers ask for them again, and tell
        if self._encoder.in_package:
            for start in range(0, len(texts), _READ_TOGETHER):
                await asyncio.to_thread(self._encoder.encode, texts[start : start + _READ_TOGETHER])

    async def other_encoder(self, name: str) -> str | None:
        """Return the encoder that a model needs if another one is set here; None if it can answer or is not known."""
        try:
            return await self._models.other_encoder(name)
        except RequestRefused:
            return None

    async def _renew(self) -> None:
        try:
            await self._models.renew()
        except Exception as error:  # noqa: BLE001 - the next start tries again, and a model is renewed as it is loaded
            _log.warning("models of an earlier learner still hold vectors of their texts: %s", type(error).__name__)

    async def stop(self) -> None:
        """Stop all workers; the next start resumes their unfinished jobs."""
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._loading:
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._runner.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with self:
            yield


class _KeyCheck:
    """ASGI middleware that rejects HTTP requests without the API key."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = dict(scope.get("headers", [])).get(b"authorization", b"")
        if scope["type"] == "http" and not secrets.compare_digest(authorization, self._expected):
            await error_response("Incorrect API key provided.", 401, code="invalid_api_key")(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _model_routes(models: Models) -> list[Route]:
    async def list_models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": await models.all()})

    async def get_model(request: Request) -> Response:
        name = request.path_params["name"]
        await models.get(name)  # refuses a model that can't answer here
        return JSONResponse(await models.describe(name) | {"system_fingerprint": models.revision(name)})

    async def delete_model(request: Request) -> Response:
        name = request.path_params["name"]
        await models.delete(name)
        return JSONResponse({"id": name, "object": "model", "deleted": True})

    async def forget_texts(request: Request) -> Response:
        name = request.path_params["name"]
        await models.forget_texts(name)
        return JSONResponse({"id": name, "object": "model", "texts_forgotten": True})

    return [
        Route("/v1/models/{name:path}/texts", forget_texts, methods=["DELETE"]),  # an extension of our own
        Route("/v1/models", list_models, methods=["GET"]),
        Route("/v1/models/{name:path}", get_model, methods=["GET"]),
        Route("/v1/models/{name:path}", delete_model, methods=["DELETE"]),
    ]
