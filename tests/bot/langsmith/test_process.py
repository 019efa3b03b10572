"""A process with a tracker: it ends at once, and its environment changes nothing."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from tests.kits.langsmith_server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY

ROOT = Path(__file__).resolve().parents[3]


async def run(server: LangSmithServer, mode: str, **environment: str) -> tuple[float, str]:
    """Run the program; return the seconds between its last work and its end, and its error output."""
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
    word, _, done_at = out.decode().strip().partition(" ")
    assert word == "done"
    return ended - float(done_at), error.decode()


async def test_process_ends_while_no_request_is_answered(langsmith: LangSmithServer) -> None:
    langsmith.fail(ServerFault(silent=True))
    seconds, error = await run(langsmith, "hangs")
    assert seconds < 2
    assert "Traceback" not in error


async def test_process_ends_when_the_server_hangs_later(langsmith: LangSmithServer) -> None:
    langsmith.fail(ServerFault(silent=True), on="POST /runs|GET /examples")
    seconds, _ = await run(langsmith, "hangs")
    assert len(langsmith.sent("POST /runs/multipart")) > 0
    assert seconds < 2


async def test_idle_process_ends_at_once(langsmith: LangSmithServer) -> None:
    seconds, _ = await run(langsmith, "works")
    assert len(langsmith.traces.runs) == 1
    assert seconds < 2


async def test_environment_does_not_change_the_sdk(langsmith: LangSmithServer, tmp_path: Path) -> None:
    """Each of these variables alone would make the SDK drop, hide, divert or add data."""
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
    sent = json.dumps([[got.headers, got.parts, got.body.decode(errors="replace")] for got in langsmith.requests])
    assert not [value for value in ("another_key", "host-detail", "elsewhere", "22222222", "Basic ") if value in sent]
    assert "authorization" not in sent
