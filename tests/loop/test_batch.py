"""An evaluation by batch over the wire: it survives a restart of the bot, and its figures are posted."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bot.app import lifecycle as duty
from bot.app.running import Running, open_bot
from bot.domain.dataset import Split, text_key
from bot.domain.release import ModelName
from bot.releases.releasing import add_candidate
from bot.settings import Settings
from tests.kits.migrated import migrated_sqlite
from tests.kits.openai_server import CHAT, FILES, OpenAIServer, Reply
from tests.kits.openai_server import said as answers
from tests.loop.story import open_loop_desk, settle_all, words

pytestmark = pytest.mark.timeout(90)
THERE = ModelName(provider="there", model="small")


async def test_batch_survives_restart_and_posts_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty, "BATCH_SECONDS", 0.2)
    async with OpenAIServer().running() as server:
        settings = Settings(
            _env_file=None,
            database_url=migrated_sqlite(tmp_path / "loop.db"),
            bot_language="en",
            bot_providers={"there": {"base_url": server.url, "api_key": "sk-there", "kind": "compatible"}},
        )

        def opened() -> AbstractAsyncContextManager[Running]:
            return open_bot(settings, state=tmp_path / "workspace.json")

        server.on("GET /v1/batches", Reply({"data": []}))
        server.on(FILES, Reply({"id": "file-1"}))
        server.on("POST /v1/batches", Reply({"id": "batch_1", "status": "validating"}))
        server.on("GET /v1/batches/batch_1", Reply({"id": "batch_1", "status": "in_progress"}))
        async with opened() as running, open_loop_desk(running) as desk:
            await settle_all(running, "en", subjects=2)
            core = running.core
            assert "without `batch`" in words(await desk.command("evaluate batch")), "the embedded model has none"
            serving = await core.acts.releasing.serving()
            async with core.ports.store.transaction() as tx:
                release = await add_candidate(
                    tx, core.ports.clock.now(), THERE, prompt_id=serving.prompt_id, by="U1", why="test"
                )
                rows = [row async for row in tx.rows.all()]
                prompt = await tx.prompts.get(serving.prompt_id)
            assert prompt
            names = {category.id: category.name for category in prompt.categories}
            server.on(CHAT, answers(names[rows[0].category], p=0.9))
            assert "within a day" in words(await desk.command(f"evaluate {release.name} batch"))
            assert "already" in words(await desk.command(f"evaluate {release.name} batch"))
            sent = [json.loads(one) for one in server.sent(FILES)[0].body.split(b"\n") if one.startswith(b'{"cus')]

        right = {text_key(row.text): names[row.category] for row in rows}
        lines = []
        for one in reversed(sent[1:]):
            body = answers(right.get(one["custom_id"], names[rows[0].category]), p=0.9).body
            lines.append({"custom_id": one["custom_id"], "response": {"status_code": 200, "body": body}})
        server.on("GET /v1/files/out/content", Reply("\n".join(json.dumps(one) for one in lines)))
        server.on("GET /v1/batches/batch_1", Reply({"id": "batch_1", "status": "completed", "output_file_id": "out"}))
        async with opened() as running, open_loop_desk(running) as desk:
            told = await desk.admin.message(
                lambda m: any(f["name"].endswith(".png") for f in m.get("files", [])), timeout=60.0
            )
            assert running.practice
            assert told["channel"] == running.practice.channels.ops.id
            assert f"categories-{release.name}.csv" in [f["name"] for f in told["files"]]
            card = await running.core.acts.evaluating.known(release)
            assert card
            assert card.rows == sum(row.split is Split.HELD_OUT for row in rows)
            assert card.right >= card.rows - 2, "all but what was asked in person"
        assert len(server.sent(CHAT)) == 2, "the first question, and the one that the batch left out"
        assert len(server.sent("POST /v1/batches")) == 1
