"""Before any training, over the wire, in both languages: recall, a shadow, and an unsure bot."""

import pytest

from bot.domain.release import ReleaseState
from handlers.views import ids
from tests.loop.conftest import Open
from tests.loop.story import STORIES, Story, actions, candidate, open_loop_desk, said, words

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_one_correction_helps_similar_questions_before_training(story: Story, open_loop: Open) -> None:
    by_meaning = open_loop(story.language, bot_encoder="usem3")
    async with by_meaning as running, open_loop_desk(running) as desk:
        before = said(await desk.ask(story.similar))
        first = await desk.ask(story.asked)
        right = "hr" if "hr" not in {before, said(first)} else "accounting"
        await desk.settle(first, right)
        assert said(await desk.ask(story.similar + " ")) == right
        assert before != right, "the story tells nothing: the base model knew it"
        assert not (await running.core.acts.reporting.status()).finetunes


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_shadow_answers_unseen_and_reports_its_agreement(story: Story, open_loop: Open) -> None:
    async with open_loop(story.language) as running, open_loop_desk(running) as desk:
        release = await candidate(desk, 5)
        assert release in words(await desk.command(f"shadow {release}"))
        questions = list(story.usual)[:3]
        cards = [await desk.ask(text) for text in questions]
        async with running.core.ports.store.transaction() as tx:
            assert (await tx.releases.shadow()).name == release  # type: ignore[union-attr]  # it is asserted
        while (await running.core.acts.shadowing.report()).agreement.questions < len(questions):
            await running.core.acts.shadowing.shadow_next()
        for text, card in zip(questions, cards, strict=True):
            await desk.settle(card, story.usual[text])
            assert len(await desk.employee.replies(desk.channel, card["thread_ts"])) == 2, "the question and one answer"
        told = words(await desk.command("shadow"))
        assert release in told
        assert "100%" in told, "without rows the recall shows nothing, so both say the same"
        assert release in words(await desk.command("shadow off"))
        assert (await running.core.acts.releasing.named(release)).state is ReleaseState.CANDIDATE
        assert "`/finetune shadow v4`, for example" in words(await desk.command("shadow")) or story.language == "ja"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_unsure_bot_asks_staff_and_a_press_settles(story: Story, open_loop: Open) -> None:
    async with open_loop(story.language) as running, open_loop_desk(running) as desk:
        server = running.practice
        assert server
        serving = (await running.core.acts.releasing.serving()).name
        assert serving in words(await desk.command("unsure"))
        assert "50" in words(await desk.command("unsure auto")), "there are no held-out rows yet"
        assert "99%" in words(await desk.command("unsure 0.99"))
        unsure = await desk.ask(story.asked)
        staff = f"<!subteam^{server.people.staff_group.id}>"
        assert staff in words(unsure)
        guess = {"ja": "はっきり判断できませんでした", "en": "I could not tell for sure"}[story.language]
        assert guess in unsure["text"]
        assert {ids.AGREE, f"{ids.CHANGE}.0", f"{ids.CHANGE}.1", ids.CORRECT_OPEN} <= actions(unsure)
        settled = await desk.settle(unsure, "hr")
        assert guess not in words(settled)
        await desk.command("unsure off")
        assert guess not in words(await desk.ask(story.again))


async def test_what_makes_no_sense_is_refused_in_words(open_loop: Open) -> None:
    async with open_loop("en") as running, open_loop_desk(running) as desk:
        for wrong, told in (
            ("recall 21", "0 to 20"),
            ("recall some", "0 to 20"),
            ("recall 3 nosuch", "nosuch"),
            ("unsure 1.5", "between 0% and 100%"),
            ("unsure nan", "between 0% and 100%"),
            ("unsure nosuch", "nosuch"),
            ("shadow nosuch", "nosuch"),
            ("shadow off", "No version is being tried out unseen"),
            ("shadow", "No version is being tried out unseen"),
        ):
            assert told in words(await desk.command(wrong)), wrong
        serving = (await running.core.acts.releasing.serving()).name
        assert "answers already" in words(await desk.command(f"shadow {serving}"))
        assert serving in words(await desk.command("recall 3"))
