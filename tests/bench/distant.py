"""Answers of the bot and of a bare handler that reach Slack over TLS, with a round trip of 150 ms."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from bot.practice import serve
from tests.bench.sustained import Meter, measure_in_turns
from tests.bench.workplace import (
    CHAT,
    BenchWorkspace,
    create_database,
    environment,
    print_line,
    run_bot,
    run_program,
)
from tests.kits.front import Front
from tests.kits.openai_server import OpenAIServer, said
from tests.kits.tls import AUTHORITY, server_context

ROUND_TRIP = 0.150


@asynccontextmanager
async def open_distant_workspace() -> AsyncIterator[tuple[BenchWorkspace, dict[str, str], Front]]:
    """Serve a workspace behind a long line and a model nearby.

    Yields:
        The workspace, the environment of a program that works in it, and the line.
    """
    workspace, model = BenchWorkspace(), OpenAIServer()
    model.on(CHAT, said("IT", "It is about a password.", p=0.9))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(workspace))
        await stack.enter_async_context(model.running())
        tls = await stack.enter_async_context(Front(server.url, server_context()).running())
        line = await stack.enter_async_context(Front(tls.url, round_trip=ROUND_TRIP).running())
        workspace.url = line.url
        env = environment(server, model.url)
        yield workspace, {**env, "SLACK_API_URL": f"{line.url}api/", "SSL_CERT_FILE": str(AUTHORITY)}, line


async def main(questions: int, databases: Sequence[str]) -> None:
    """Print the table."""
    print_line(f"{questions} questions, Slack over TLS with a round trip of {ROUND_TRIP * 1000:.0f} ms")
    print_line(f"{'':<34} {Meter.HEADER} {'connections':>12}")
    async with AsyncExitStack() as stack:
        meters: dict[str, Meter] = {}
        lines: dict[str, Front] = {}
        for name in ("bare handler that asks and posts", *databases):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            workspace, env, lines[name] = await stack.enter_async_context(open_distant_workspace())
            if name in databases:
                program = run_bot(env, folder, create_database(name, folder))
            else:
                program = run_program(env, folder, "tests.bench.bare", "model")
            meters[name] = Meter(workspace, await stack.enter_async_context(program))
        await measure_in_turns([*meters.values()], questions)
        for name, meter in meters.items():
            print_line(f"{name:<34} {meter} {lines[name].connections:12}")
        bare = meters["bare handler that asks and posts"]
        for kind in databases:
            ratios = meters[kind].ratios(bare, "answered", 2)
            print_line(f"{kind}: {ratios} times the bare handler's median answer")
    print_line()
