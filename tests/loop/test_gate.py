"""The gate on real models, over the wire: embedded models trained on right and on shuffled labels."""

import csv
import io
from random import Random

import pytest

from bot.app.running import Running
from bot.domain.dataset import Split
from bot.releases.releasing import add_candidate
from handlers.views import ids
from tests.loop.conftest import Open
from tests.loop.story import (
    SUBJECTS,
    LoopDesk,
    Message,
    actions,
    candidate,
    details,
    open_loop_desk,
    run_finetune,
    serve,
    settle_all,
    words,
)

pytestmark = pytest.mark.timeout(90)


async def shuffle_training_rows(running: Running) -> None:
    """Shuffle the labels of the training rows; held-out rows keep theirs."""
    async with running.core.ports.store.transaction() as tx:
        rows = [row async for row in tx.rows.all(Split.TRAIN)]
        labels = [row.category for row in rows]
        Random(5).shuffle(labels)
        for row, label in zip(rows, labels, strict=True):
            await tx.rows.put(row.model_copy(update={"category": label, "group": f"shuffled {row.id}"}))


async def evaluated(desk: LoopDesk) -> tuple[Message, Message]:
    """Evaluate, and return the message with the result and the one with its files."""
    await desk.command("evaluate")
    shown = await desk.admin.message(
        lambda m: any(b["block_id"].startswith("compared.") for b in m.get("blocks", [])), timeout=60.0
    )
    return shown, await desk.admin.message(lambda m: any(".png" in f["name"] for f in m.get("files", [])), timeout=60.0)


async def test_a_better_model_is_evaluated_and_passes(open_loop: Open) -> None:
    language = "ja"
    async with open_loop(language) as running, open_loop_desk(running) as desk:
        await settle_all(running, language, subjects=4)  # enough: 16 fixed and none broken, p = 0.00003
        # With recall the untrained model is nearly as good.
        await serve(desk, await candidate(desk, 0))
        trained = await run_finetune(desk)
        shown, told = await evaluated(desk)
        assert running.practice
        assert shown["channel"] == told["channel"] == running.practice.channels.ops.id
        assert shown["text"].startswith("はっきり良くなりました"), "the decision comes first, in plain words"
        assert ids.FINETUNE_SWITCH in actions(shown)
        said = await details(desk, shown)
        assert "マクネマー" in said
        assert "その質問を学習していないモデルが答えた質問" in said
        files = {f["name"]: await desk.admin.file(f["id"]) for f in told["files"]}
        picture = next(f for f in told["files"] if f["name"] == f"categories-{trained}.png")
        assert picture["alt_txt"].startswith(f"{trained} は質問の")
        assert files[picture["name"]].startswith(b"\x89PNG\r\n")
        changes = list(csv.DictReader(io.StringIO(files[f"changes-{trained}.csv"].decode("utf-8-sig"))))
        assert {row["change"] for row in changes} >= {"fixed"}
        assert {row["split"] for row in changes} == {"train", "held_out"}
        assert all((row["candidate"] == row["settled"]) == (row["change"] == "fixed") for row in changes)
        table = list(csv.reader(io.StringIO(files[f"categories-{trained}.csv"].decode("utf-8-sig"))))
        assert [row[0] for row in table[1:]] == sorted(SUBJECTS[language])

        await desk.admin.press(shown, ids.FINETUNE_SWITCH)
        await desk.admin.message(lambda m: "ephemeral" in m and trained in m["text"], timeout=60.0)
        assert (await running.core.acts.releasing.serving()).name == trained
        assert (await running.core.acts.reporting.status()).overridden is None


async def add_confused_release(running: Running) -> str:
    """Store a candidate whose prompt describes each category as another one; return its id."""
    serving = await running.core.acts.releasing.serving()
    async with running.core.ports.store.transaction() as tx:
        prompt = await tx.prompts.get(serving.prompt_id)
        assert prompt
        usual = [c for c in prompt.categories if not c.other]
        other = next(c for c in prompt.categories if c.other)
        turned = [
            c.model_copy(update={"name": d.name, "rule": d.rule, "examples": d.examples})
            for c, d in zip(usual, [*usual[1:], usual[0]], strict=True)
        ]
        confused = prompt.changed(categories=[*turned, other])
        await tx.prompts.put(confused)
        now = running.core.ports.clock.now()
        return (await add_candidate(tx, now, serving.model, prompt_id=confused.id, by="U1", why="test")).id


async def test_shuffled_labels_teach_nothing(open_loop: Open) -> None:
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        await settle_all(running, "en")
        await shuffle_training_rows(running)
        model = await run_finetune(desk)
        await settle_all(running, "en")
        refused = await desk.command(f"switch {model}")
        assert refused["text"].startswith("Clearly worse"), "the decision comes first, in plain words"
        assert "Only a part of its training is used" in words(refused)
        assert ids.FINETUNE_OVERRIDE in actions(refused)
        assert (await running.core.acts.releasing.serving()).model.model == "base"


async def test_worse_release_is_refused_with_what_it_breaks(open_loop: Open) -> None:
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        await settle_all(running, "en", subjects=4)
        confused, before = await add_confused_release(running), await running.core.acts.releasing.serving()
        refused = await desk.command(f"switch {confused}")
        assert refused["text"].startswith("Clearly worse: ")
        assert ids.FINETUNE_OVERRIDE in actions(refused)
        told = await desk.admin.message(lambda m: bool(m.get("files")), timeout=60.0)
        said = await details(desk, refused)
        listed = [line for line in said.splitlines() if " → " in line and "recall" not in line]
        assert len(listed) == 10
        table = (await desk.admin.file(told["files"][0]["id"])).decode("utf-8-sig")
        broken = [row for row in csv.DictReader(io.StringIO(table)) if row["change"] == "broken"]
        assert len(broken) > 10
        assert all(row["serving"] == row["settled"] != row["candidate"] for row in broken)

        # A sentence goes over a refusal, too, and one command goes back without any gate.
        await desk.command(f"switch {confused} because we look at how it does on live questions")
        assert (await running.core.acts.releasing.serving()).id == confused
        assert "live questions" in words(await desk.command("status"))
        await desk.command("rollback")
        assert (await running.core.acts.releasing.serving()).id == before.id
        assert "live questions" not in words(await desk.command("status"))
