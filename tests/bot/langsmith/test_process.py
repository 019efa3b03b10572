"""A process with a tracker ends when it is told to, and takes nothing from its environment."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from tests.kits.langsmith_server import Fault, LangSmithServer
from tests.kits.langsmith_server.server import KEY

ROOT = Path(__file__).resolve().parents[3]


async def run(server: LangSmithServer, mode: str, **environment: str) -> tuple[float, str]:
    """Seconds from when it had done its work to its end, and what it wrote to its error output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "tests.bot.langsmith.program", server.url, KEY, mode),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,  # noqa: TID251 - to find Python
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    ended = time.time()
    assert process.returncode == 0, error.decode()
    word, _, then = out.decode().strip().partition(" ")
    assert word == "done"
    return ended - float(then), error.decode()


async def test_a_process_ends_at_once_though_a_black_hole_holds_all_its_requests(langsmith: LangSmithServer) -> None:
    langsmith.fail(Fault(silent=True))
    seconds, error = await run(langsmith, "hangs")
    assert seconds < 2
    assert "Traceback" not in error


async def test_it_ends_at_once_too_where_the_server_hangs_later(langsmith: LangSmithServer) -> None:
    langsmith.fail(Fault(silent=True), on="POST /runs|GET /examples")
    seconds, _ = await run(langsmith, "hangs")
    assert len(langsmith.sent("POST /runs/multipart")) > 0
    assert seconds < 2


async def test_a_process_that_has_nothing_under_way_ends_at_once(langsmith: LangSmithServer) -> None:
    seconds, _ = await run(langsmith, "works")
    assert len(langsmith.traces.runs) == 1
    assert seconds < 2


async def test_what_the_environment_tells_the_sdk_changes_nothing(langsmith: LangSmithServer, tmp_path: Path) -> None:
    """Each of these variables drops, hides, diverts or adds something by itself."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other-secret\n", encoding="utf-8")
    noise = {
        "LANGSMITH_API_KEY": "lsv2_pt_another_key",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
        "LANGSMITH_WORKSPACE_ID": "22222222-2222-4222-8222-222222222222",
        "LANGSMITH_PROJECT": "elsewhere",
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_TRACING_MODE": "otel",
        "LANGSMITH_TRACING_SAMPLING_RATE": "0",
        "LANGSMITH_HIDE_INPUTS": "true",
        "LANGSMITH_HIDE_OUTPUTS": "true",
        "LANGSMITH_HIDE_METADATA": "true",
        "LANGCHAIN_REVISION_ID": "host-detail",
        "HOME": str(tmp_path),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    await run(langsmith, "works", **noise)
    (kept,) = langsmith.traces.runs.values()
    assert kept["session_name"] == "madoguchi"
    assert kept["inputs"]["messages"][0]["content"] == "有給は何日前？ q1"
    assert kept["outputs"]["category"] == "労務"
    told = json.dumps([[got.headers, got.parts, got.body.decode(errors="replace")] for got in langsmith.requests])
    assert not [value for value in ("another_key", "host-detail", "elsewhere", "22222222", "Basic ") if value in told]
    assert "authorization" not in told
