"""The server itself: who may come in, what goes wrong on request, what came in, and the page's people."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableSequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import uvicorn
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.kits.langsmith_server import api_datasets, api_traces
from tests.kits.langsmith_server.datasets import Problem
from tests.kits.langsmith_server.state import WORKSPACE, State
from tests.kits.langsmith_server.wire import Got, read

KEY = "lsv2_pt_the_right_key_0123456789"


@dataclass(frozen=True)
class Fault:
    """What happens instead of an answer.

    `lost`: the connection breaks; `half`: so does it, in the middle of an answer; `silent`: nothing, for ever; `taken`:
    the request is carried out all the same, and only its answer is lost.
    """

    status: int = 500
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    lost: bool = False
    half: bool = False
    silent: bool = False
    taken: bool = False


class LangSmithServer(State):
    """`running()` serves it, by the machine's time or by `clock`.

    `url` is its endpoint, KEY its key. What was asked is in `requests`, oldest first.

    Attributes:
        keys: key → the workspaces that it may name; None among them: it need name none.
        people: those at its page.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.url = ""
        self.requests: MutableSequence[Got] = []
        self.keys: dict[str, set[str | None]] = {KEY: {None, WORKSPACE}}
        self.people = People(self)
        self._connections: Callable[[], Iterable[Any]] = tuple
        self._faults: list[tuple[re.Pattern[str], Fault, int | None]] = []

    def fail(self, fault: Fault, on: str = "", times: int | None = None) -> None:
        """Let requests whose route matches `on` fail, so many of them (None: until `heal`)."""
        self._faults.append((re.compile(on), fault, times))

    def heal(self) -> None:
        self._faults.clear()

    def sent(self, route: str) -> list[Got]:
        """The requests whose whole route matches, oldest first."""
        return [got for got in self.requests if re.fullmatch(route, got.route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        got = await read(scope, receive)
        self.requests.append(got)
        fault = self._fault(got.route)
        response = self._answer(got) if fault is None or fault.taken else None
        if fault is not None:
            await asyncio.sleep(fault.wait_s)
            if fault.silent:
                await asyncio.Event().wait()
            if fault.lost or fault.taken:
                self._hang_up(scope["client"])
                return
            if fault.half:
                response = Response(b'[{"id": "', headers={"content-length": "1000"}, media_type="application/json")
            else:
                response = JSONResponse(fault.body or {"detail": "fault"}, fault.status, dict(fault.headers))
        assert response is not None
        await response(scope, receive, send)

    def _hang_up(self, client: tuple[str, int]) -> None:
        for connection in self._connections():
            if connection.client == client:
                connection.transport.abort()

    def _fault(self, route: str) -> Fault | None:
        for number, (on, fault, times) in enumerate(self._faults):
            if on.search(route) and times != 0:
                self._faults[number] = (on, fault, None if times is None else times - 1)
                return fault
        return None

    def _answer(self, got: Got) -> Response:
        refused = None if got.route == "GET /info" else self._refused(got)
        if refused:
            return refused
        for pattern, handle in chain(api_datasets.ROUTES, api_traces.ROUTES):
            if match := re.fullmatch(pattern, got.route):
                try:
                    return handle(self, got, *match.groups())
                except Problem as problem:
                    return JSONResponse({"detail": str(problem)}, problem.status)
        return JSONResponse({"detail": "Not Found"}, 404)

    def _refused(self, got: Got) -> Response | None:
        workspaces = self.keys.get(got.headers.get("x-api-key", ""))
        workspace = got.headers.get("x-tenant-id")
        if workspaces is None:
            return JSONResponse({"detail": "Invalid token"}, 401)
        if workspace in workspaces:
            return None
        error = "org_scoped_key_requires_workspace" if workspace is None else "Forbidden"
        return JSONResponse({"error": error}, 403)

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator["LangSmithServer"]:
        """Serve on this port of loopback, or on a free one. Ended and run again, it remembers everything."""
        config = uvicorn.Config(
            self, port=port, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # Neither its main loop nor its shutdown: they handle signals and wait in steps of a tenth of a second.
        await server.startup()
        (listener,) = server.servers
        self._connections = lambda: tuple(server.server_state.connections)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            listener.close()
            for connection in self._connections():
                connection.transport.abort()
            for task in tuple(server.server_state.tasks):  # those that a fault keeps waiting
                task.cancel()


class People:
    """What people do at LangSmith's own pages."""

    def __init__(self, server: LangSmithServer) -> None:
        self._server = server

    def edit(self, example_id: str, **content: Any) -> None:
        """Change an example's `inputs`, `outputs`, `metadata` or `split`."""
        dataset, _ = self._server.datasets.find(example_id)
        self._server.datasets.change(dataset, {example_id: content})

    def add(self, name: str, **content: Any) -> str:
        """Add an example to a dataset; its id."""
        dataset, example_id = self._server.datasets.named(name), str(uuid.uuid4())
        self._server.datasets.add(dataset, {example_id: content})
        return example_id

    def add_run(self, name: str, run_id: str, outputs: Mapping[str, Any]) -> str:
        """Add a run to a dataset, its outputs as they mended them."""
        run = self._server.traces.runs[run_id]
        return self.add(name, inputs=run["inputs"], outputs=outputs, source_run_id=run_id)

    def annotate(self, name: str, run_id: str, key: str, **said: Any) -> str:
        """Say something of a run, as `name`: `score`, `value`, `correction`, `comment`. The feedback's id."""
        user = {"user_id": f"user-of-{name}", "ls_user_id": f"user-of-{name}", "user_name": name}
        source = {"type": "app", "metadata": {}} | user
        run = self._server.traces.runs[run_id]
        about = {"run_id": run_id, "trace_id": run["trace_id"], "session_id": run["session_id"], "key": key}
        return str(self._server.traces.say({**about, **said, "feedback_source": source})["id"])

    def annotate_again(self, feedback_id: str, **said: Any) -> None:
        """Say it differently."""
        kept = self._server.traces.get_feedback(feedback_id)
        kept.update(said, modified_at=self._server.now().isoformat())

    def delete_dataset(self, name: str) -> None:
        """Take a dataset away, with all that is in it."""
        del self._server.datasets.by_id[self._server.datasets.named(name).id]
