"""Questions like those that nobody could answer are answered less surely."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.embedded import FolderShelf, LocalModel
from bot.embedded.answers import classify
from bot.embedded.doubted import FEWEST_DOUBTED, Doubted
from bot.embedded.learner import learn
from bot.embedded.trained import TrainedModel, from_bytes, to_bytes, without_texts
from bot.embedded.training_set import TrainingTask
from tests.bot.embedded.kit import (
    ENCODER,
    LETTERS,
    answer_format,
    client_of,
    ignore_fold,
    jsonl,
    random_rows,
    trained,
)

_LABELS = ("leave", "it", "pay")
_PROMPT = "Choose.\n\n## leave\n\n- my vacation\n\n## it\n\n- my laptop\n\n## pay\n\n- my salary"
_CROWD = [f"buzzing jazz {word} {n}" for n, word in enumerate(["zumba", "fuzzy", "quux", "kiwi"] * 5)]
"""Questions of a subject that no row shows."""
_OPEN = [*(text for text, _ in random_rows(20, 31)), *_CROWD]


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return learn(TrainingTask(random_rows(40, 32), _PROMPT, encoder=ENCODER, open=_OPEN), ignore_fold).model


def confidence(model: TrainedModel, text: str) -> float:
    return classify(model, _PROMPT, _LABELS, text, explain=False).confidence


def test_crowd_of_unknown_questions_lowers_confidence(model: TrainedModel) -> None:
    without = replace(model, doubted=Doubted())
    unknown, known = "buzzing jazz quux", "my laptop please"
    assert confidence(model, unknown) < confidence(without, unknown) - 0.1
    assert confidence(model, known) == confidence(without, known)
    one, other = (classify(each, _PROMPT, _LABELS, unknown).label for each in (model, without))
    assert one == other


def test_direction_is_a_mean_of_ten_questions() -> None:
    questions = np.eye(30, dtype=np.float32)
    rows = questions[:, ::-1] + 0.1
    unsure = np.full(30, 0.3, dtype=np.float32)
    assert not Doubted.of(questions[: FEWEST_DOUBTED - 1], unsure[: FEWEST_DOUBTED - 1], rows).directions.size
    found = Doubted.of(questions, unsure, rows).directions
    assert 1 <= len(found) <= 30 // FEWEST_DOUBTED
    for direction in found:
        assert (np.isclose(direction, direction.max())).sum() >= FEWEST_DOUBTED


def test_few_or_equal_rows_flatten_little() -> None:
    """They do not tell what is usual."""
    questions, unsure = np.eye(20, dtype=np.float32), np.full(20, 0.3, dtype=np.float32)
    rows = np.full((40, 20), 0.2, dtype=np.float32)
    rows[0, 0] += 1e-4
    assert not Doubted.of(questions, unsure, rows[:20]).directions.size
    found = Doubted.of(questions, unsure, rows)
    assert found.directions.max() > 100
    assert found.sharpness(questions).min() > 0.1


def test_what_was_doubted_is_stored_and_forgotten(model: TrainedModel) -> None:
    data = to_bytes(model)
    again, without = from_bytes(data, ENCODER), from_bytes(without_texts(data), ENCODER)
    assert confidence(again, "buzzing jazz") == pytest.approx(confidence(model, "buzzing jazz"), abs=2e-3)
    assert again.doubted.directions.size
    assert not without.doubted.directions.size


@pytest.mark.usefixtures("fast_training")
async def test_job_learns_what_nobody_could_answer(shelf: FolderShelf) -> None:
    async with LocalModel(shelf, encoder=LETTERS) as local, client_of(local) as client:
        open_lines = [
            {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "", "weight": 0}]}
            for text in _OPEN
        ]
        data = jsonl(random_rows(40, 32), _PROMPT) + b"\n" + "\n".join(map(json.dumps, open_lines)).encode()
        job = await trained(client, data)
        name = str(job.fine_tuned_model)

        async def surest(question: str) -> float:
            messages = [{"role": "system", "content": _PROMPT}, {"role": "user", "content": question}]
            request: dict[str, Any] = {"model": name, "messages": messages, "response_format": answer_format(_LABELS)}
            answer = await client.chat.completions.create(**request, logprobs=True)
            tokens = answer.choices[0].logprobs.content
            return math.exp(min(token.logprob for token in tokens))

        doubted, known = await surest("buzzing jazz quux"), await surest("my laptop please")
        assert doubted < 0.45 < known
        await client.delete(f"/models/{name}/texts", cast_to=object)
        assert await surest("buzzing jazz quux") > doubted + 0.1
