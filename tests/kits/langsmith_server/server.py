"""The server: access keys, injected faults, recorded requests, and the people who use LangSmith's pages."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableSequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.kits.langsmith_server import api_datasets, api_traces
from tests.kits.langsmith_server.datasets import Problem
from tests.kits.langsmith_server.state import WORKSPACE, State
from tests.kits.langsmith_server.wire import Got, read
from tests.kits.running_server import port_of, running_server

KEY = "lsv2_pt_the_right_key_0123456789"


@dataclass(frozen=True)
class ServerFault:
    """A fault that replaces an answer.

    Attributes:
        body: A text is sent as a page, anything else as JSON.
        json: A text of JSON, sent as it is.
        wait_s: Delay before the fault, in seconds.
        lost: The connection breaks before the answer.
        half: The connection breaks in the middle of the answer.
        silent: No answer ever comes.
        taken: The request is carried out, and only its answer is lost.
    """

    status: int = 500
    body: object = None
    json: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    lost: bool = False
    half: bool = False
    silent: bool = False
    taken: bool = False


class LangSmithServer(State):
    """The stand-in server; `running()` serves it. It uses the machine's time, or `clock` if given.

    Attributes:
        url: The endpoint for clients; the key is `KEY`.
        requests: The received requests, oldest first.
        keys: Key → the workspaces that it may name; None among them means that it need not name one.
        people: The people who use LangSmith's pages.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.url = ""
        self.requests: MutableSequence[Got] = []
        self.keys: dict[str, set[str | None]] = {KEY: {None, WORKSPACE}}
        self.people = People(self)
        self._connections: Callable[[], Iterable[Any]] = tuple
        self._faults: list[tuple[re.Pattern[str], ServerFault, int | None]] = []

    def fail(self, fault: ServerFault, on: str = "", times: int | None = None) -> None:
        """Let the next `times` requests whose route matches `on` fail; None means all until `heal`."""
        self._faults.append((re.compile(on), fault, times))

    def heal(self) -> None:
        self._faults.clear()

    def sent(self, route: str) -> list[Got]:
        """Return the requests whose whole route matches, oldest first."""
        return [got for got in self.requests if re.fullmatch(route, got.route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        got = await read(scope, receive)
        self.requests.append(got)
        fault = self._next_fault(got.route)
        response = self._answer(got) if fault is None or fault.taken else None
        if fault is not None:
            await asyncio.sleep(fault.wait_s)
            if fault.silent:
                await asyncio.Event().wait()
            if fault.lost or fault.taken:
                self._disconnect(scope["client"])
                return
            if fault.half:
                response = Response(b'[{"id": "', headers={"content-length": "1000"}, media_type="application/json")
            elif fault.json:
                response = Response(fault.json, fault.status, dict(fault.headers), media_type="application/json")
            elif isinstance(fault.body, str):
                response = HTMLResponse(fault.body, fault.status, dict(fault.headers))
            else:
                response = JSONResponse(fault.body or {"detail": "fault"}, fault.status, dict(fault.headers))
        assert response is not None
        await response(scope, receive, send)

    def _disconnect(self, client: tuple[str, int]) -> None:
        for connection in self._connections():
            if connection.client == client:
                connection.transport.abort()

    def _next_fault(self, route: str) -> ServerFault | None:
        for number, (on, fault, times) in enumerate(self._faults):
            if on.search(route) and times != 0:
                self._faults[number] = (on, fault, None if times is None else times - 1)
                return fault
        return None

    def _answer(self, got: Got) -> Response:
        refused = None if got.route == "GET /info" else self._refuse(got)
        if refused:
            return refused
        for pattern, handle in chain(api_datasets.ROUTES, api_traces.ROUTES):
            if match := re.fullmatch(pattern, got.route):
                try:
                    return handle(self, got, *match.groups())
                except Problem as problem:
                    return JSONResponse({"detail": str(problem)}, problem.status)
        return JSONResponse({"detail": "Not Found"}, 404)

    def _refuse(self, got: Got) -> Response | None:
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
        """Serve on this port of loopback, or on a free one. The state survives a restart."""
        async with running_server(self, port) as server:
            self._connections = lambda: tuple(server.server_state.connections)
            self.url = f"http://127.0.0.1:{port_of(server)}"
            yield self


class People:
    """The actions of people on LangSmith's own pages."""

    def __init__(self, server: LangSmithServer) -> None:
        self._server = server

    def edit(self, example_id: str, **content: Any) -> None:
        """Change an example's `inputs`, `outputs`, `metadata` or `split`."""
        dataset, _ = self._server.datasets.find(example_id)
        self._server.datasets.change(dataset, {example_id: content})

    def add(self, name: str, **content: Any) -> str:
        """Add an example to a dataset and return its id."""
        dataset, example_id = self._server.datasets.named(name), str(uuid.uuid4())
        self._server.datasets.add(dataset, {example_id: content})
        return example_id

    def add_run(self, name: str, run_id: str, outputs: Mapping[str, Any]) -> str:
        """Add a run to a dataset with corrected outputs and return the example's id."""
        run = self._server.traces.runs[run_id]
        return self.add(name, inputs=run["inputs"], outputs=outputs, source_run_id=run_id)

    def annotate(self, name: str, run_id: str, key: str, **said: Any) -> str:
        """Give feedback on a run as the person `name` and return its id.

        Args:
            name: The person.
            run_id: The run.
            key: The feedback's key.
            said: Any of `score`, `value`, `correction`, `comment`.
        """
        user = {"user_id": f"user-of-{name}", "ls_user_id": f"user-of-{name}", "user_name": name}
        source = {"type": "app", "metadata": {}} | user
        run = self._server.traces.runs[run_id]
        about = {"run_id": run_id, "trace_id": run["trace_id"], "session_id": run["session_id"], "key": key}
        return str(self._server.traces.say({**about, **said, "feedback_source": source})["id"])

    def annotate_again(self, feedback_id: str, **said: Any) -> None:
        """Change earlier feedback."""
        kept = self._server.traces.get_feedback(feedback_id)
        kept.update(said, modified_at=self._server.now().isoformat())

    def delete_dataset(self, name: str) -> None:
        """Delete a dataset with its examples."""
        del self._server.datasets.by_id[self._server.datasets.named(name).id]
