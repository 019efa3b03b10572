"""The whole loop over the wire, in both languages: ask, correct, export, fine-tune, switch, ask again."""

import asyncio
import json

import pytest

from handlers.views import ids
from tests.loop.conftest import Open
from tests.loop.story import (
    STORIES,
    Story,
    actions,
    details,
    open_loop_desk,
    run_finetune,
    said,
    sentence,
    settle_all_questions,
    words,
)

pytestmark = pytest.mark.timeout(90)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_corrections_become_a_model_that_answers_better(story: Story, open_loop: Open) -> None:
    async with open_loop(story.language) as running, open_loop_desk(running) as desk:
        before = said(await desk.ask(story.again))
        right = await settle_all_questions(desk, story, guessed=before)
        assert said(await desk.ask(f"{story.again} 1")) == right, "recall helps before any training"
        trained = await run_finetune(desk)
        assert trained == "v2"
        status = await desk.command("status")
        assert "v1" in words(status)
        assert "local/ft:base" in await details(desk, status)
        refused = await desk.command(f"switch {trained}")
        assert ids.FINETUNE_OVERRIDE in actions(refused), words(refused)
        assert "300" in await details(desk, refused), "the rule is printed"
        assert (await running.core.acts.releasing.serving()).model.model == "base"
        await desk.admin.press(refused, ids.FINETUNE_OVERRIDE)
        form = await desk.admin.view()
        assert await desk.admin.submit(form, sentence("short")) == {
            ids.SENTENCE_INPUT: form["blocks"][1]["hint"]["text"]
        }
        await desk.admin.submit(form, sentence(story.because))
        await desk.admin.message(lambda m: ids.FINETUNE_ROLLBACK in actions(m), timeout=60.0)
        told = await desk.admin.message(lambda m: story.because in words(m), timeout=60.0)
        assert running.practice
        assert told["channel"] == running.practice.channels.ops.id
        assert story.because in words(await desk.command("status"))
        assert said(await desk.ask(f"{story.again} 2")) == right
        assert "v1" in words(await desk.command("rollback"))
        assert (await running.core.acts.releasing.serving()).model.model == "base"


async def test_export_holds_settled_rows_and_is_repeatable(open_loop: Open) -> None:
    story = STORIES[0]
    async with open_loop("ja") as running, open_loop_desk(running) as desk:
        await settle_all_questions(desk, story)
        files = []
        for _ in range(2):
            await desk.command("export")
            told = await desk.admin.message(lambda m: len(m.get("files", [])) == 2, timeout=60.0)
            files.append([await desk.admin.file(f["id"]) for f in told["files"]])
        assert files[0] == files[1]
        data, manifest = files[0]
        lines = [json.loads(line) for line in data.decode().splitlines()]
        held_out = json.loads(manifest)["held_out"]
        assert len(lines) + held_out == 1 + len(story.perks) + len(story.usual)
        for line in lines:
            system, user, assistant = line["messages"]
            assert [m["role"] for m in line["messages"]] == ["system", "user", "assistant"]
            assert system["content"] == running.core.prompt.text
            answer = json.loads(assistant["content"])
            assert list(answer) == ["reason", "category"]
            wanted = story.usual.get(user["content"])
            category = running.core.prompt.named(answer["category"])
            assert category
            assert wanted in {None, category.id}
        assert "カフェテリアポイント".encode() in data


async def test_restart_during_a_fine_tune_loses_nothing(open_loop: Open) -> None:
    story = STORIES[1]
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        await settle_all_questions(desk, story)
        plan = await desk.command("start")
        await desk.admin.press(plan, ids.FINETUNE_CONFIRM)
    async with open_loop("en") as running:
        async with asyncio.timeout(60):
            while not (newest := (await running.core.acts.reporting.status()).finetunes[0]).model:
                assert newest.error is None
                await asyncio.sleep(0.1)
        async with open_loop_desk(running) as desk:
            told = [
                m
                for m in await desk.admin.history(running.practice.channels.ops.id)  # type: ignore[union-attr]
                for m in await desk.admin.replies(m["channel"], m["ts"])
            ]
            async with asyncio.timeout(20):
                while not any(ids.FINETUNE_COMPARE in actions(m) for m in told):
                    told.append(await desk.admin.message(lambda m: ids.FINETUNE_COMPARE in actions(m)))


async def test_only_an_admin_gets_more_than_help(open_loop: Open) -> None:
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        await desk.employee.command("/finetune start", desk.channel)
        refused = await desk.employee.message(lambda m: bool(m.get("ephemeral")))
        assert ids.FINETUNE_CONFIRM not in actions(refused)
        assert "@" in refused["text"] or "subteam" in refused["text"]
        await desk.employee.command("/finetune help", desk.channel)
        helped = await desk.employee.message(lambda m: bool(m.get("ephemeral")))
        assert "/finetune rollback" in words(helped)


async def test_one_confirm_makes_one_job_however_often_pressed(open_loop: Open) -> None:
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        await settle_all_questions(desk, STORIES[1])
        plan = await desk.command("start")
        await asyncio.gather(*(desk.admin.press(plan, ids.FINETUNE_CONFIRM) for _ in range(3)), return_exceptions=True)
        # A press is acked before it is confirmed, so the fine-tune may appear a moment later.
        async with asyncio.timeout(30):
            while not (status := await running.core.acts.reporting.status()).finetunes:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.05)
        assert len(status.finetunes) == 1
        async with asyncio.timeout(60):
            while not (newest := (await running.core.acts.reporting.status()).finetunes[0]).model:
                assert newest.error is None
                await asyncio.sleep(0.1)
        assert len(await running.core.acts.releasing.choices()) == 1


async def test_unknown_release_name_is_refused_in_words(open_loop: Open) -> None:
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        assert "nosuch" in words(await desk.command("switch nosuch"))
        assert "v1" in words(await desk.command("status"))
