"""An encoder whose vectors a service gives, behind the embedded model and the real SDK."""

from collections.abc import Sequence

import numpy as np
import pytest
from openai import APIStatusError

from bot.embedded import EncoderUnavailable, FetchedEncoder, FolderShelf, LocalModel, Vectors
from bot.embedded.fetched import MOST_PREPARED, PREPARED_SECONDS, NotPrepared
from tests.bot.embedded.kit import LABELS, PROMPT, ROWS, ask, client_of, jsonl, trained
from tests.kits.fakes import ManualTimer

pytestmark = pytest.mark.usefixtures("fast_training")
MEANINGS = [("有給", "バカンス"), ("面接", "interview")]
LONG = "来週の月曜日に部長と会議室で面接の評価シートについて相談したいのですが、採用予定の研修資料と異動手続きの書類は"


class Service:
    """A service that gives vectors while it is well."""

    def __init__(self) -> None:
        self.well = True
        self.fetched: list[str] = []
        self.requests = 0

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        if not self.well:
            raise EncoderUnavailable("Incorrect API key provided", "openai/embed", "key")
        self.fetched += texts
        self.requests += 1
        known = [[any(word in text for word in words) for words in MEANINGS] for text in texts]
        return np.array(known, dtype=np.float32)

    def encoder(self) -> FetchedEncoder:
        return FetchedEncoder("openai/embed", self.vectors)


async def test_every_kind_of_question_finds_its_vectors(shelf: FolderShelf) -> None:
    service = Service()
    async with LocalModel(shelf, encoder=service.encoder()) as model, client_of(model) as client:
        assert '"category":"労務"' in (await ask(client, "バカンス")).choices[0].message.content
        rows = [(question.replace("有給", "バカンス"), label) for question, label in ROWS]
        job = await trained(client, jsonl(rows), validation_file=None)
        assert job.status == "succeeded"
        name = str(job.fine_tuned_model)
        story = "It rained. We waited. She called. He came late. I ate. They left. When is the interview? Nobody knew."
        for question in (LONG, "interview", "x", "。", story):
            for labels in (LABELS, LABELS[:1]):
                answer = await ask(client, question, model=name, labels=labels)
                assert answer.choices[0].message.content
        turns = [("system", PROMPT), ("user", "バカンスの件"), ("assistant", '{"category":"労務"}'), ("user", LONG)]
        messages = [{"role": role, "content": text} for role, text in turns]
        await client.chat.completions.create(model=name, messages=messages)  # type: ignore[arg-type]
        choices = [{"value": label, "description": label} for label in LABELS]
        choice = {"type": "choice", "name": "category", "instructions": PROMPT, "choices": choices}
        await client.decisions.create(model=name, input=LONG, questions=[choice])  # type: ignore[list-item]
        again = await trained(client, jsonl(rows), model=name)
        assert again.status == "succeeded"
    assert len(service.fetched) == len(set(service.fetched)), "each text is asked for once"


async def test_texts_read_ahead_are_fetched_together(shelf: FolderShelf) -> None:
    service, questions, example = Service(), ["バカンスの件", "Hello. When is the interview?"], "有給の件"
    async with LocalModel(shelf, encoder=service.encoder()) as model, client_of(model) as client:
        await ask(client, "。")  # fetches the texts of the prompt
        await ask(client, "One. Two.")  # and what is compared with each sentence
        service.fetched, service.requests = [], 0
        await model.read_ahead("characters", questions, [example])
        assert service.requests == 0
        await model.read_ahead("base", questions, [example])
        assert service.requests == 1
        shown = [{"role": "user", "content": example}, {"role": "assistant", "content": '{"category":"労務"}'}]
        for question in questions:
            said = [{"role": "system", "content": PROMPT}, *shown, {"role": "user", "content": question}]
            await client.chat.completions.create(model="base", messages=said)  # type: ignore[arg-type]
        assert service.requests == 1
        service.well = False
        await model.read_ahead("base", ["面接"], [])  # raises no error: a question does


async def test_service_that_is_down_is_named(shelf: FolderShelf) -> None:
    service = Service()
    service.well = False
    async with LocalModel(shelf, encoder=service.encoder()) as model, client_of(model) as client:
        with pytest.raises(APIStatusError) as raised:
            await ask(client, "バカンス")
        assert (raised.value.code, raised.value.param) == ("encoder_unavailable", "openai/embed")
        assert raised.value.response.headers["x-should-retry"] == "false"
        assert isinstance(raised.value.body, dict)
        assert raised.value.body["trouble"] == "key"
        assert '"category"' in (await ask(client, "有給", model="characters")).choices[0].message.content
        assert await model.vectors(["有給"]) is None, "who searches goes on by words alone"
        job = await trained(client, jsonl())
        assert job.status == "failed"
        assert job.error
        assert "openai/embed gave no vectors" in str(job.error.message)


async def test_text_that_was_not_prepared_is_refused() -> None:
    service = Service()
    encoder = service.encoder()
    await encoder.prepare(["有給"])
    assert encoder.encode(["有給", "有給"]).tolist() == [[1, 0], [1, 0]]
    with pytest.raises(NotPrepared, match="1 texts were encoded without") as raised:
        encoder.encode(["有給", "面接"])
    assert "面接" not in str(raised.value)


async def test_memory_is_bounded_and_spares_recent_texts() -> None:
    time, service = ManualTimer(), Service()
    encoder = FetchedEncoder("openai/embed", service.vectors, time)
    many = [f"text {n}" for n in range(MOST_PREPARED + 500)]
    await encoder.prepare(many)
    await encoder.prepare(["another"])
    assert len(encoder.encode(many)) == len(many), "a training needs all of its texts"
    time.seconds += PREPARED_SECONDS
    await encoder.prepare(["one more"])
    with pytest.raises(NotPrepared):
        encoder.encode(many[:1])
    assert len(encoder.encode(many[600:])) == len(many) - 600


async def test_other_encoder_is_refused_before_any_work(shelf: FolderShelf) -> None:
    service = Service()
    async with LocalModel(shelf, encoder=service.encoder()) as model, client_of(model) as client:
        name = str((await trained(client, jsonl())).fine_tuned_model)
        about = await client.models.retrieve(name)
        assert about.model_dump()["system_fingerprint"] == (await ask(client, "x", model=name)).system_fingerprint
        assert "openai/embed" in about.model_dump()["system_fingerprint"]
    async with LocalModel(shelf) as model, client_of(model) as client:
        for refused in (
            ask(client, "x", model=name),
            client.models.retrieve(name),
            trained(client, jsonl(), model=name),
        ):
            with pytest.raises(APIStatusError) as raised:
                await refused
            assert (raised.value.code, raised.value.param) == ("other_encoder", "openai/embed")
        assert "openai" not in str((await ask(client, "x")).system_fingerprint)
        assert [one.id async for one in client.models.list()] == ["base", "characters", name]
        await client.models.delete(name)
