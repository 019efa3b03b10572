"""The programs of the test: replicas that are killed and paused, and a PostgreSQL that is taken away from them."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import psycopg

from bot.settings import ROOT
from tests.chaos.slack import Trouble
from tests.kits.postgres import start_server

POLITE = 20.0
"""Seconds that a replica may take to stop."""
STOPPED = 12.0
"""Seconds of a pause: longer than the leases of a replica."""
_OTHERS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


class Replica:
    """One replica, started again whenever it ends; its log is kept from one life to the next."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str], trouble: Trouble) -> None:
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._environment = environment
        self._trouble = trouble
        self._pid: int | None = None
        self._keeper: asyncio.Task[int] | None = None
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> int:
        """Let it live, and live again, until it is to stop; the last exit code."""
        with self.log.open("ab") as log:
            mother = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.chaos.replica"),
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert mother.stdin
        assert mother.stdout
        code = 0
        while not self._stopping.is_set():
            mother.stdin.write(b"\n")
            code = await self._life(mother.stdout)
            if not self._stopping.is_set() and code not in {-signal.SIGKILL, -signal.SIGTERM, 0}:
                self._trouble.counted[f"a replica ended by itself ({code})"] += 1
        mother.stdin.close()
        await mother.wait()
        return code

    async def _life(self, told: asyncio.StreamReader) -> int:
        """From its birth to its end; its exit code."""
        async for line in told:
            word, _, number = line.decode().strip().partition(" ")
            if word == "born":
                self._pid = int(number)
            elif word == "gone":
                self._pid = None
                self.ready.clear()
                return int(number)
            else:  # what the bot prints when it is connected
                self.ready.set()
        raise EOFError(f"no more replicas are born; see {self.log}")

    def send(self, number: signal.Signals) -> bool:
        """Send a signal; False where there is nobody to get it."""
        if self._pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)
        return True

    async def pause(self, seconds: float) -> None:
        """Stop it where it stands, and let it go on after a while, if it is still the same."""
        pid = self._pid
        if self.send(signal.SIGSTOP):
            await asyncio.sleep(seconds)
            if pid == self._pid:
                self.go_on()

    def go_on(self) -> None:
        """End a pause."""
        self.send(signal.SIGCONT)

    async def stop(self) -> int:
        """End it politely; its exit code."""
        self._stopping.set()
        self.send(signal.SIGTERM)
        assert self._keeper
        try:
            return await asyncio.wait_for(asyncio.shield(self._keeper), POLITE)
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self._keeper


class Postgres:
    """A PostgreSQL of this test alone."""

    def __init__(self) -> None:
        self._server = start_server()
        self.url: str = self._server.get_uri(database="postgres")

    async def crash(self, away: float) -> None:
        """End it at once, without a word to anybody (`immediate`: what a kill or a lost machine does to the data)."""
        with suppress(ProcessLookupError):
            os.kill(self._server.get_pid(), signal.SIGQUIT)
        await asyncio.sleep(away)
        await self.back()

    async def back(self) -> None:
        """Start it where it does not run."""
        await asyncio.to_thread(self._server.ensure_postgres_running)

    async def kill_one_connection(self) -> None:
        """Kill -9 the process behind one connection: the server then drops all of them and recovers."""

        def kill() -> None:
            with psycopg.connect(self.url, autocommit=True) as connection:
                for (pid,) in connection.execute(_OTHERS).fetchmany(1):
                    os.kill(pid, signal.SIGKILL)

        with suppress(psycopg.OperationalError):
            await asyncio.to_thread(kill)

    def close(self) -> None:
        self._server.cleanup()


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a replica: nothing of this process's own but where programs are."""
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
        "PYTHONPATH": str(ROOT),
        "BOT_PROMPT": str(folder / "prompt"),
        **settings,
    }


class Havoc:
    """What happens to the processes, at random, until it is cancelled."""

    def __init__(self, replicas: list[Replica], postgres: Postgres | None, trouble: Trouble, rng: Random) -> None:
        self._replicas = replicas
        self._postgres = postgres
        self._trouble = trouble
        self._rng = rng

    async def kill(self, replica: Replica, life: float) -> None:
        """Kill a replica when it has lived for so many seconds or so; now and then ask it to stop, politely."""
        while True:
            if self._rng.random() < 0.9:  # else perhaps while it is starting
                await replica.ready.wait()
            await asyncio.sleep(self._rng.uniform(0.0, 2.0) * life)
            politely = self._rng.random() < 0.1
            if replica.send(signal.SIGTERM if politely else signal.SIGKILL):
                self._trouble.counted["SIGTERM" if politely else "kill -9"] += 1

    async def pause(self, every: float) -> None:
        """Pause a replica, every so many seconds."""
        while True:
            await asyncio.sleep(self._rng.uniform(0.4, 1.6) * every)
            self._trouble.counted["paused for longer than a lease"] += 1
            await self._rng.choice(self._replicas).pause(STOPPED)

    async def crash(self, every: float) -> None:
        """Take the database away; nothing happens where there is none of its own."""
        while self._postgres:
            await asyncio.sleep(self._rng.uniform(0.4, 1.6) * every)
            if self._rng.random() < 0.5:
                self._trouble.counted["database: crashed and started again"] += 1
                await self._postgres.crash(self._rng.uniform(0.5, 3.0))
            else:
                self._trouble.counted["database: all connections lost"] += 1
                await self._postgres.kill_one_connection()
