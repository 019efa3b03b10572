"""A sample prompt with rows, and helpers that call the embedded model through the real OpenAI SDK."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
from openai import AsyncOpenAI
from openai.types.fine_tuning import FineTuningJob

from bot.embedded import LocalModel
from bot.embedded.encoders import PackagedEncoder, Vectors

if TYPE_CHECKING:  # which loads scipy
    from bot.embedded.learner import Score

PROMPT = """社内の質問を分類し、JSONで答えてください。

## 労務

有給や休暇などの就業規則に関わる質問は労務として扱う

- 有給は何日前までに申請すればいいですか？
- 残業時間の上限を教えてください

## 人事

採用や評価に関わる質問は人事として扱う

- 面接の日程を知りたい
- 評価シートはどこにありますか

## その他

どれにも当てはまらない質問
"""
LABELS = ["労務", "人事", "その他"]
_WORDS = {
    "労務": ["残業", "休職", "育休", "有給"],
    "人事": ["採用", "異動", "昇格", "研修"],
    "その他": ["天気", "昼ご飯", "野球", "電車"],
}
ROWS = [
    (f"{word}{rest}", label)
    for label, words in _WORDS.items()
    for word in words
    for rest in ("の手続き", "について相談", "を知りたい")
]

NOISE = ["please", "can you tell me", "i want to know", "hello,", "what about", "quick question on"]
WORDS = {
    "leave": ["vacation", "sick day", "parental leave", "day off", "sabbatical", "holiday"],
    "it": ["laptop", "password", "vpn", "printer", "monitor", "phone"],
    "pay": ["salary", "payslip", "bonus", "tax form", "overtime money", "bank account"],
}


def letters() -> Callable[[Sequence[str]], Vectors]:
    """Return a small encoder that knows which texts are alike; `LETTERS` is its name in a setting."""
    alphabet = "abcdefghijklmnopqrstuvwxy"
    return lambda texts: np.array([[text.count(letter) for letter in alphabet] for text in texts], dtype=np.float32)


LETTERS = f"{__name__}:letters"
ENCODER = PackagedEncoder("letters", letters)


def random_rows(count: int, seed: int, labels: Sequence[str] = tuple(WORDS)) -> list[tuple[str, str]]:
    """Return random rows; each question has one word that belongs to its label, among words that belong to none."""
    dice = random.Random(seed)
    chosen = [dice.choice(labels) for _ in range(count)]
    return [(f"{dice.choice(NOISE)} {dice.choice(WORDS[label])} {dice.choice(NOISE)}", label) for label in chosen]


def ignore_fold(_: int, __: int, ___: "Score") -> None:
    """Ignore the score of a fold."""


def answer_format(labels: Sequence[str] = LABELS, **more: Any) -> dict[str, Any]:
    properties = {"reason": {"type": "string"}, "category": {"type": "string", "enum": list(labels)}, **more}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def jsonl(rows: Sequence[tuple[str, str]] = ROWS, system: str = PROMPT) -> bytes:
    def line(question: str, label: str) -> str:
        answer = json.dumps({"reason": f"{label}の規則に当たります", "category": label}, ensure_ascii=False)
        messages = [("system", system), ("user", question), ("assistant", answer)]
        return json.dumps(
            {"messages": [{"role": role, "content": text} for role, text in messages]}, ensure_ascii=False
        )

    return "\n".join(line(*row) for row in rows).encode()


def client_of(model: LocalModel, key: str = "any") -> AsyncOpenAI:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=model.app, raise_app_exceptions=False))
    return AsyncOpenAI(api_key=key, base_url="http://local/v1", http_client=http, max_retries=0)


async def wait_until_ended(client: AsyncOpenAI, job: str) -> FineTuningJob:
    while True:
        found = await client.fine_tuning.jobs.retrieve(job)
        if found.status in {"succeeded", "failed", "cancelled"}:
            return found
        await asyncio.sleep(0.05)


async def trained(client: AsyncOpenAI, data: bytes, **more: Any) -> FineTuningJob:
    file = await client.files.create(file=("rows.jsonl", data), purpose="fine-tune")
    job = await client.fine_tuning.jobs.create(**{"model": "base", "training_file": file.id, "seed": 7, **more})
    return await wait_until_ended(client, job.id)


async def ask(
    client: AsyncOpenAI, question: str, model: str = "base", labels: Sequence[str] = LABELS, **more: Any
) -> Any:
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": question}]
    request = {"model": model, "messages": messages, "response_format": answer_format(labels), **more}
    return await client.chat.completions.create(**request)
