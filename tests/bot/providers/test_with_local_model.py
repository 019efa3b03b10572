"""The provider adapters against the embedded model, in process."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from bot.domain.dataset import Row, Source, Split, group_of
from bot.domain.errors import ModelRefused
from bot.domain.prompt import Category, Prompt
from bot.domain.release import ModelName
from bot.embedded import FolderShelf, LocalModel
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from bot.providers.tokens import OfflineEstimator
from bot.providers.training import OpenAITrainer
from bot.providers.training_file import check
from tests.kits.plain_export import export

pytestmark = pytest.mark.usefixtures("fast_training")

STUDENT = ModelName(provider="local", model="base")
ASKED = {
    "labor": [
        f"{when}の{what}の申請方法を教えて" for when in "春夏秋冬朝昼夜" for what in ("有給", "休暇", "残業", "早退")
    ],
    "it": [
        f"{a}の{what}が{how}"
        for a in ("席", "部屋")
        for what in ("端末", "回線", "画面")
        for how in ("固まった", "遅い")
    ],
}


@pytest.fixture
async def providers(tmp_path: Path) -> AsyncIterator[Providers]:
    async with LocalModel(FolderShelf(tmp_path)) as local:
        transport = httpx2.ASGITransport(app=local.app, raise_app_exceptions=False)
        made = Providers([Provider("local", "http://local/v1", kind="compatible", transport=transport)])
        yield made
        await made.aclose()


@pytest.fixture
def prompt() -> Prompt:
    return Prompt(
        language="ja",
        template="社内の質問を分類してください。",
        categories=(
            Category(id="labor", name="労務", rule="休暇や勤怠", examples=("有給は何日前までに？",)),
            Category(id="it", name="情シス", rule="端末や回線", examples=("端末が重いです",)),
            Category(id="other", name="その他", rule="それ以外", other=True),
        ),
    )


def rows() -> list[Row]:
    return [
        Row(
            id=text,
            text=text,
            group=group_of(text),
            category=category,
            reason=None,
            split=Split.TRAIN,
            source=Source.AGREE,
            by="U1",
            settled_at=datetime(2026, 11, 1, tzinfo=UTC),
        )
        for category, texts in ASKED.items()
        for text in texts
    ]


async def test_training_and_serving_work_end_to_end(providers: Providers, prompt: Prompt) -> None:
    serving, trainer = OpenAIModel(providers), OpenAITrainer(providers)
    question = "席の端末が遅い"
    before = await serving.classify(STUDENT, prompt, question)
    assert before.confidence is not None

    data = export(rows(), prompt).data
    assert check(data.splitlines()) == []
    assert OfflineEstimator().tokens(data.splitlines()) > len(rows()) * 10
    file_id = await trainer.upload(STUDENT, "rows.jsonl", data.splitlines())
    created = await trainer.create(STUDENT, file_id, "ft-1", "test")
    assert created.error is None
    found = await trainer.find(STUDENT, "ft-1")
    assert found is not None
    assert found.id == created.id
    assert await trainer.find(STUDENT, "ft-2") is None

    job = created
    for _ in range(1000):
        if job.status in {"succeeded", "failed", "cancelled"}:
            break
        await asyncio.sleep(0.05)
        job = await trainer.job(STUDENT, created.id)
    assert (job.status, job.error) == ("succeeded", None)
    assert job.progress
    report = await trainer.report(STUDENT, created.id)
    assert [one.line for one in report.out_of_fold] == list(range(1, len(rows()) + 1))
    assert {one.category for one in report.out_of_fold} <= {"労務", "情シス", "その他"}
    assert report.trust is not None
    trained = ModelName(provider="local", model=job.model or "")
    after = await serving.classify(trained, prompt, question)
    assert after.category == "it"
    assert after.reason
    unexplained = await serving.classify(trained, prompt, question, explain=False)
    assert unexplained == after.model_copy(update={"reason": "", "tokens_out": unexplained.tokens_out})
    assert set(after.others) == {"labor", "other"}
    assert 0 < (after.confidence or 0) <= 1
    assert after.tokens_in > 0
    with pytest.raises(ModelRefused):
        await trainer.cancel(STUDENT, created.id)


async def test_unknown_model_is_refused(providers: Providers, prompt: Prompt) -> None:
    with pytest.raises(ModelRefused, match="nobody"):
        await OpenAIModel(providers).classify(ModelName(provider="local", model="nobody"), prompt, "有給は？")


@pytest.mark.parametrize("category", ["labor", "it", "other"])
async def test_reason_argues_for_the_requested_category(providers: Providers, prompt: Prompt, category: str) -> None:
    """The model argues for any category, and quotes only words of the question."""
    reason = await OpenAIModel(providers).reason(STUDENT, prompt, "端末の画面と有給について", category)
    assert reason.endswith("という言葉から判断しました")
    named = {"labor": "有給", "it": "端末"}.get(category, "")
    assert named in reason
    assert all(
        word in "端末の画面と有給について"
        for word in reason.removesuffix("という言葉から判断しました")[1:-1].split("」「")
    )


async def test_reason_for_an_unknown_category_is_refused(providers: Providers, prompt: Prompt) -> None:
    with pytest.raises(ModelRefused, match="no category"):
        await OpenAIModel(providers).reason(STUDENT, prompt, "有給は？", "gone")
