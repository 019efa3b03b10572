"""Programs that start in milliseconds: a process that has loaded the bot forks one for each start.

Loading the bot takes more than two seconds of a processor, which is most of a small test. Instead of
`python -m bot run`, a test starts `forked("bot", "run")`: this file as a client of the process that forks. It hands
over its folder, its environment and its standard streams. It passes signals on and ends as the program does, so pipes,
kills and exit codes stay real. Only the end of the interpreter itself is left out; tests of real starts cover that.

All workers of pytest-xdist share the process that forks.

The workers themselves are forked, too, from another process: one that has loaded all tests of this run, once for all
workers. That takes ten seconds of a processor, and twenty in a fresh clone.
"""

import atexit
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STREAMS = 3
REQUEST_BYTES = 1 << 16
RUNNING = (
    "bot.app.running",
    "bot.domain.masking.masks",
    "bot.domain.parts",
    "bot.embedded.train",
    "bot.providers.client",
    "openai.resources.chat",
    "openai.resources.fine_tuning",
    "alembic.command",
    "aiosqlite",
    "anyio._backends._asyncio",
    "httpcore2",
    "uvicorn.protocols.http.auto",
)
LOADED = {
    "bot": ("bot.cli", *RUNNING),
    "bot.embedded": ("bot.embedded.server", "uvicorn"),
    "bot.embedded.train": ("bot.embedded.train", "bot.embedded.learner", "scipy.optimize"),
    "tests.chaos.replica": ("tests.chaos.replica", *RUNNING),
}
"""Modules that are loaded before the first start of a program; the program's own module is executed anew."""
WORKER = "tests.kits.worker"
"""The program of a worker of pytest-xdist."""
ARGUMENTS = "FORKED_WORKERS_ARGUMENTS"
"""The environment variable with pytest's arguments for a process that forks workers, in JSON."""


def forked(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that does what `python -m module …` does; the first call starts the forking process."""
    return (sys.executable, "-S", "-E", __file__, _address(), module, *arguments)


def forked_worker(arguments: Sequence[str]) -> str:
    """Return what follows `python=` in the specification of a worker of pytest-xdist.

    Args:
        arguments: Those that pytest was called with. They choose the tests, and what is decided as tests are loaded.
    """
    environment = {**os.environ, ARGUMENTS: json.dumps([*arguments])}  # noqa: TID251 - as a worker would have it
    return shlex.join((sys.executable, "-S", "-E", __file__, _address(json.dumps(environment)), WORKER))


@cache
def _address(environment: str = "") -> str:
    """Return the address of the forking process of this test run, which ends with the last process that uses it.

    Args:
        environment: The environment of the forking process in JSON; the default is that of one that forks programs.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))  # noqa: TID251 - xdist sets it
    folder = Path(tempfile.gettempdir()) / f"forks-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    address = str(folder / "s")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _use(address):
            _start(address, json.loads(environment or "null"))
    return address


def _start(address: str, environment: dict[str, str] | None) -> None:
    Path(address).unlink(missing_ok=True)
    folder = Path.cwd() if environment else ROOT
    environment = environment or {"OPENBLAS_NUM_THREADS": "1", "BOT_ENCODER": "none"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, __file__, address]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL)

    def stop() -> None:
        process.wait()  # for the other users, too
        shutil.rmtree(Path(address).parent)

    atexit.register(stop)
    while not _use(address) and process.poll() is None:
        time.sleep(0.01)


def _use(address: str) -> bool:
    """Keep the forking process alive as long as this process lives; return whether there is one."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        connection.sendall(json.dumps({"uses": os.getpid()}).encode())
        in_use = connection.recv(1) != b""
    except OSError:
        in_use = False
    if in_use:
        atexit.register(connection.close)  # which runs before the `stop` that was registered earlier
    else:
        connection.close()
    return in_use


# --- the process that forks


def serve(address: str) -> None:
    """Fork a program for each client until no test process uses this one any more."""
    signal.signal(signal.SIGCHLD, _reap)
    users: set[socket.socket] = set()
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen()
        selector.register(listener, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            for user in users & {*ready}:  # it has ended
                selector.unregister(user)
                user.close()
                users.remove(user)
            if not users and listener not in ready:
                return
            if listener not in ready:
                continue
            connection, _ = listener.accept()
            request, *streams = _receive(connection)
            if "uses" in request:
                users.add(connection)
                selector.register(connection, selectors.EVENT_READ)
                connection.sendall(b".")
                continue
            _load(request["module"])
            pid = os.fork()
            if pid == 0:
                listener.close()
                selector.close()
                _run(connection, request, streams)
            connection.sendall(b"%d\n" % pid)
            connection.close()
            for stream in streams:
                os.close(stream)


@cache
def _load(module: str) -> None:
    """Load what a program needs."""
    for name in LOADED.get(module, ()):
        importlib.import_module(name)
    if "bot.app.running" in LOADED.get(module, ()):
        importlib.import_module("bot.app.readiness").build_models()
    if module == WORKER:
        sys.path.pop(0)  # the folder of this file
        load_tests(json.loads(os.environ[ARGUMENTS]))  # noqa: TID251
    gc.collect()
    gc.freeze()  # else each program scans, and thereby copies, all of it


def load_tests(arguments: list[str]) -> None:
    """Import the modules that pytest imports for these arguments, so that workers find them loaded.

    If one of them fails or skips itself, load none: pytest would take what is left of it for the whole module. Then
    each worker loads all tests itself, and reports it.
    """
    import pytest

    class Incomplete:
        found = False

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            self.found = self.found or not report.passed

    incomplete = Incomplete()
    with redirect_stdout(io.StringIO()):
        pytest.main([*arguments, "-n0", "--collect-only"], plugins=[incomplete])
    if incomplete.found:
        for name in [name for name in sys.modules if name.startswith("tests.")]:
            del sys.modules[name]


def _receive(connection: socket.socket) -> tuple[Any, ...]:
    message, streams, _, _ = socket.recv_fds(connection, REQUEST_BYTES, STREAMS)
    return json.loads(message), *streams


def _reap(_signal: int, _frame: object) -> None:
    """Wait for programs that have ended, so that their processor time is counted."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(connection: socket.socket, request: Any, streams: list[int]) -> None:
    """Run the program in this process, which was forked for it, and end the process."""
    code, own = 1, os.getpid()
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "w" if n else "r", closefd=False) for n in range(STREAMS))
        os.chdir(request["folder"])
        os.environ.clear()  # noqa: TID251 - the program has the environment of its client
        os.environ.update(request["environment"])  # noqa: TID251
        sys.argv = [request["module"], *request["arguments"]]
        threading.Thread(target=_end_with_client, args=[connection], daemon=True).start()
        code = _exit_code(request["module"])
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        if os.getpid() == own:  # not in a process that the program forked itself
            with suppress(OSError):
                connection.send(bytes([code]))
        os._exit(code)


def _exit_code(module: str) -> int:
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end_with_client(connection: socket.socket) -> None:
    """End this program when its client was killed, as the program that the client stands for would have ended."""
    connection.recv(1)
    os._exit(1)


# --- the client


def run_client(address: str, module: str, arguments: list[str]) -> int:
    """Have the program run; return its exit code, 1 where it was killed."""
    request = {"module": module, "arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: TID251, PTH109
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        streams = list(range(STREAMS))
        socket.send_fds(connection, [json.dumps(request).encode()], streams)
        answer = connection.makefile("rb")
        pid = int(answer.readline())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: os.kill(pid, got))
        code = answer.read(1)
    return code[0] if code else 1


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(run_client(sys.argv[1], sys.argv[2], sys.argv[3:]))
    serve(sys.argv[1])
