"""The processes of the test: replicas that are killed and paused, and a PostgreSQL server that crashes."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from random import Random

import psycopg

from bot.settings import ROOT
from tests.chaos.slack import RandomFaults
from tests.kits.forked_programs import forked
from tests.kits.postgres import ensure_running, start_server

STOP_TIMEOUT = 20.0
"""Longest wait for a replica to stop after SIGTERM, and for a crashed database server to be gone, in seconds."""
PAUSE = 12.0
"""Length of a pause in seconds: longer than a replica's leases."""
_OTHER_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


class Replica:
    """One replica that restarts whenever it ends. All its starts write to the same log."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str], faults: RandomFaults) -> None:
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._environment = environment
        self._faults = faults
        self._pid: int | None = None
        self._supervisor: asyncio.Task[int] | None = None
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()

    def start(self) -> None:
        self._supervisor = asyncio.create_task(self._supervise())

    async def _supervise(self) -> int:
        """Start the replica again and again until `stop`, and return the last exit code."""
        with self.log.open("ab") as log:
            launcher = await asyncio.create_subprocess_exec(
                *forked("tests.chaos.replica"),
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert launcher.stdin
        assert launcher.stdout
        code = 0
        while not self._stopping.is_set():
            launcher.stdin.write(b"\n")
            code = await self._follow_one_process(launcher.stdout)
            if not self._stopping.is_set() and code not in {-signal.SIGKILL, -signal.SIGTERM, 0}:
                self._faults.counts[f"a replica ended by itself ({code})"] += 1
        launcher.stdin.close()
        await launcher.wait()
        return code

    async def _follow_one_process(self, output: asyncio.StreamReader) -> int:
        """Follow the launcher's output until the current process ends, and return its exit code.

        Raises:
            EOFError: The launcher itself has ended.
        """
        async for line in output:
            word, _, number = line.decode().strip().partition(" ")
            if word == "born":
                self._pid = int(number)
            elif word == "gone":
                self._pid = None
                self.ready.clear()
                return int(number)
            else:  # the bot prints its only line when it is connected
                self.ready.set()
        raise EOFError(f"the launcher of the replicas has ended; see {self.log}")

    def send(self, number: signal.Signals) -> bool:
        """Send a signal and return True; return False if no process is running."""
        if self._pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)
        return True

    async def pause(self, seconds: float) -> None:
        """Stop the process with SIGSTOP and continue it after `seconds`, unless it was replaced meanwhile."""
        pid = self._pid
        if self.send(signal.SIGSTOP):
            await asyncio.sleep(seconds)
            if pid == self._pid:
                self.resume()

    def resume(self) -> None:
        """End a pause."""
        self.send(signal.SIGCONT)

    async def stop(self) -> int:
        """Stop the replica with SIGTERM, or with SIGKILL after STOP_TIMEOUT, and return its exit code."""
        self._stopping.set()
        self.send(signal.SIGTERM)
        assert self._supervisor
        try:
            return await asyncio.wait_for(asyncio.shield(self._supervisor), STOP_TIMEOUT)
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self._supervisor


class Postgres:
    """A PostgreSQL server that no other test uses."""

    def __init__(self) -> None:
        self._server = start_server()
        self.url: str = self._server.get_uri(database="postgres")

    async def crash(self, away: float) -> None:
        """Crash the server and start it again after `away` seconds.

        SIGQUIT is PostgreSQL's immediate shutdown: the data ends up as after a kill or the loss of the machine.
        """
        with suppress(ProcessLookupError):
            os.kill(self._server.get_pid(), signal.SIGQUIT)
        async with asyncio.timeout(STOP_TIMEOUT):  # the server removes this file last
            while (self._server.pgdata / "postmaster.pid").exists():  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.05)
        await asyncio.sleep(away)
        await self.ensure_running()

    async def ensure_running(self) -> None:
        """Start the server unless it runs."""
        await asyncio.to_thread(ensure_running, self._server.ensure_postgres_running)

    async def kill_one_connection(self) -> None:
        """Kill the process behind one connection with SIGKILL; the server then drops all connections and recovers."""

        def kill() -> None:
            with psycopg.connect(self.url, autocommit=True) as connection:
                for (pid,) in connection.execute(_OTHER_BACKENDS).fetchmany(1):
                    os.kill(pid, signal.SIGKILL)

        with suppress(psycopg.OperationalError):
            await asyncio.to_thread(kill)

    def close(self) -> None:
        self._server.cleanup()


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a replica; from this process it inherits only PATH."""
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
        "PYTHONPATH": str(ROOT),
        "BOT_PROMPT": str(folder / "prompt"),
        **settings,
    }


class ProcessFaults:
    """Random kills, pauses and crashes. Each method runs until it is cancelled."""

    def __init__(self, replicas: list[Replica], postgres: Postgres | None, faults: RandomFaults, rng: Random) -> None:
        self._replicas = replicas
        self._postgres = postgres
        self._faults = faults
        self._rng = rng

    async def kill(self, replica: Replica, mean_life: float) -> None:
        """Kill a replica about every `mean_life` seconds; one kill in ten is a SIGTERM."""
        while True:
            if self._rng.random() < 0.9:  # the other kills may hit a replica that is still starting
                await replica.ready.wait()
            await asyncio.sleep(self._rng.uniform(0.0, 2.0) * mean_life)
            politely = self._rng.random() < 0.1
            if replica.send(signal.SIGTERM if politely else signal.SIGKILL):
                self._faults.counts["SIGTERM" if politely else "kill -9"] += 1

    async def pause(self, every: float) -> None:
        """Pause a random replica about every `every` seconds."""
        while True:
            await asyncio.sleep(self._rng.uniform(0.4, 1.6) * every)
            self._faults.counts["paused for longer than a lease"] += 1
            await self._rng.choice(self._replicas).pause(PAUSE)

    async def crash(self, every: float) -> None:
        """Crash PostgreSQL or drop its connections about every `every` seconds; do nothing on SQLite."""
        while self._postgres:
            await asyncio.sleep(self._rng.uniform(0.4, 1.6) * every)
            if self._rng.random() < 0.5:
                self._faults.counts["database: crashed and started again"] += 1
                await self._postgres.crash(self._rng.uniform(0.5, 3.0))
            else:
                self._faults.counts["database: all connections lost"] += 1
                await self._postgres.kill_one_connection()
