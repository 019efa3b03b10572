"""LiteLLM's proxy before the model, as a company may put it, in an environment of its own."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml

from tests.bench.learners.environments import python_of
from tests.bench.workplace import RunningProgram

KEY = "sk-proxy"
START_SECONDS = 180


@dataclass(frozen=True)
class ProxiedProgram(RunningProgram):
    """A program and the proxy that it asks, whose processor time and memory count together."""

    proxy: RunningProgram

    @property
    def megabytes(self) -> float:
        return super().megabytes + self.proxy.megabytes

    @property
    def cpu_seconds(self) -> float:
        return super().cpu_seconds + self.proxy.cpu_seconds


@asynccontextmanager
async def run_litellm(folder: str, model_url: str) -> AsyncIterator[tuple[RunningProgram, dict[str, str]] | None]:
    """Run the proxy with one process.

    Yields:
        The proxy, and the environment of a program that asks through it; None if it can't be installed.
    """
    python = python_of("litellm")
    if python is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    route = {"model": "openai/any", "api_base": model_url, "api_key": "sk-bench"}
    settings = {
        "model_list": [{"model_name": "any", "litellm_params": route}],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"telemetry": False},
    }
    config = Path(folder, "proxy.yaml")
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    env = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
        "HOME": folder,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it is fetched
        "LITELLM_LOG": "ERROR",
    }
    command = [str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with Path(folder, "proxy.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        await _wait_until_ready(f"http://127.0.0.1:{port}/health/liveliness")
        url = f"http://127.0.0.1:{port}/v1"
        yield RunningProgram(process.pid), {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY}
    finally:
        process.terminate()
        await process.communicate()


async def _wait_until_ready(url: str) -> None:
    async with httpx2.AsyncClient() as client, asyncio.timeout(START_SECONDS):
        while True:
            try:
                if (await client.get(url)).status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.5)
