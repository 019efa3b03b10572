"""A front for a server on loopback. It counts connections, breaks them, and adds a round trip as a long line would."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Front:
    """A server that passes all bytes on to the server behind it.

    Args:
        behind: The address of the server behind it.
        tls: Speak TLS with this context; None speaks what the server behind speaks.
        round_trip: Seconds that a request and its answer spend on the line.

    Attributes:
        url: Its address.
        connections: How many connections it has accepted.
    """

    def __init__(self, behind: str, tls: ssl.SSLContext | None = None, round_trip: float = 0.0) -> None:
        self.url = ""
        self.connections = 0
        self._behind = urlsplit(behind)
        self._tls = tls
        self._round_trip = round_trip
        self._open: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        self._breaking = False

    async def hang_up(self) -> None:
        """Close each open connection, as a server does with idle ones, and let clients in this process notice."""
        for writer in self._open.values():
            writer.close()
        for _ in range(20):  # rounds of the event loop, in which the closed sockets are read
            await asyncio.sleep(0)

    def break_next(self) -> None:
        """Pass the next request of an open connection on, and close the connection before the answer."""
        self._breaking = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Front"]:
        """Serve until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        scheme = "https" if self._tls else self._behind.scheme
        self.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}{self._behind.path}"
        try:
            yield self
        finally:
            server.close()
            for task in list(self._open):
                if task:
                    task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task: asyncio.Task[None] | None = asyncio.current_task()
        self._open[task] = writer
        with suppress(OSError, asyncio.CancelledError):
            from_server, to_server = await asyncio.open_connection(self._behind.hostname, self._behind.port)
            await asyncio.sleep(self._round_trip)  # the round trip of opening a connection
            await asyncio.gather(self._copy(reader, to_server, writer), self._copy(from_server, writer))
        del self._open[task]

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asker: asyncio.StreamWriter | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                at, data = await under_way.get()
                if at > loop.time():
                    await asyncio.sleep(at - loop.time())
                if not data:
                    break
                writer.write(data)
                await writer.drain()
                if asker and self._breaking:
                    self._breaking = False
                    asker.close()
            writer.close()

        arriving = asyncio.create_task(arrive())
        try:
            while data := await reader.read(1 << 16):
                under_way.put_nowait((loop.time() + self._round_trip / 2, data))
            under_way.put_nowait((loop.time() + self._round_trip / 2, b""))
            await arriving
        finally:
            arriving.cancel()
            writer.close()
