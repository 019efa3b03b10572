"""The confidence that a completion's log probabilities give."""

import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.providers.reading import TokenLogprob, confidence, next_likely
from bot.providers.written_answer import written_answer

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
labels = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def token(raw: bytes, logprob: float) -> TokenLogprob:
    return TokenLogprob.model_validate(
        {"token": raw.decode(errors="replace"), "bytes": list(raw), "logprob": logprob, "top_logprobs": []}
    )


def confidence_of(content: str, tokens: list[TokenLogprob]) -> float | None:
    answer = written_answer(content, lambda _: True)
    assert answer
    return confidence(content, tokens, answer.span)


def cut(content: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(at for at in cuts if at < len(content))})
    return [content[a:b] for a, b in itertools.pairwise(edges)]


@settings(deadline=None)
@given(labels, texts, st.sampled_from([True, False]), texts, st.lists(st.integers(0, 200)), st.data())
def test_confidence_is_the_product_over_label_tokens(
    label: str, reason: str, escaped: object, around: str, cuts: list[int], data: st.DataObject
) -> None:
    written = json.dumps(label, ensure_ascii=bool(escaped))
    head = f'{{"reason": {json.dumps(reason, ensure_ascii=bool(escaped))}, "category": "'
    content = head + written[1:] + "}"
    start, stop = len(head.encode()), len((head + written[1:]).encode())
    pieces = cut(content.encode(), cuts)
    tokens, expected, position = [], 0.0, 0
    for piece in pieces:
        logprob = data.draw(st.floats(-5, 0))
        tokens.append(token(piece, logprob))
        if any(start <= at < stop for at in range(position, position + len(piece))):
            expected += logprob
        position += len(piece)
    # Servers also send tokens outside the content, such as the end of the turn.
    tokens = [token(around.encode(), -1.0), *tokens, token(b"<|end|>", -1.0)]
    assert confidence_of(content, tokens) == pytest.approx(math.exp(expected))


def test_closing_quote_counts_towards_a_prefix_label() -> None:
    content = '{"reason": "r", "category": "HR"}'
    tokens = [token(content[:-4].encode(), -0.5), token(b"HR", math.log(0.9)), token(b'"}', math.log(0.2))]
    assert confidence_of(content, tokens) == pytest.approx(0.18)


def test_category_in_the_reason_is_ignored() -> None:
    content = json.dumps({"reason": 'not "category": "IT" but', "category": "HR"})
    before = content[: content.rindex("HR")]
    tokens = [token(before.encode(), -3.0), token(b"HR", math.log(0.5)), token(b'"}', 0.0)]
    assert confidence_of(content, tokens) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [{"token": "some other text", "logprob": -0.1}],
        [{"token": '{"reason": "r", "category": "HR"}', "logprob": math.nan}],
    ],
)
def test_unmatched_tokens_give_no_confidence(tokens: list[dict[str, object]]) -> None:
    read = [TokenLogprob.model_validate(each) for each in tokens]
    assert confidence_of('{"reason": "r", "category": "HR"}', read) is None


def test_tokens_without_bytes_count_by_text() -> None:
    content = '{"reason": "r", "category": "労務"}'
    tokens = [
        TokenLogprob.model_validate({"token": piece, "logprob": logprob})
        for piece, logprob in [(content[:-4], -2.0), ("労務", math.log(0.25)), ('"}', 0.0)]
    ]
    assert confidence_of(content, tokens) == pytest.approx(0.25)


def test_confidence_is_never_above_one() -> None:
    content = '{"reason": "r", "category": "HR"}'
    assert confidence_of(content, [token(content.encode(), 0.001)]) == 1.0


@pytest.mark.parametrize("logprob", [0.3, 5.0, -9999.0, -math.inf, math.inf, math.nan])
def test_impossible_log_probability_gives_no_confidence(logprob: float) -> None:
    content = '{"reason": "r", "category": "HR"}'
    assert confidence_of(content, [token(content.encode(), logprob)]) is None


def test_alternatives_to_label_name_next_likely_categories() -> None:
    content = '{"reason": "r", "category": "総務"}'
    head, label = content[:-4].encode(), "総務".encode()
    asked = {"token": "x", "bytes": list(b'"' + label[:4]), "logprob": -0.1}
    # The quotation mark and a half character belong to the token, as byte-level tokenizers cut them.
    alternatives = [
        {"token": "x", "bytes": list(b'"' + name.encode()[:4]), "logprob": logprob}
        for name, logprob in (("人事", -3.0), ("労務", -2.0), ("総務", -0.1), ("猫", -0.5))
    ]
    first = TokenLogprob.model_validate({**asked, "top_logprobs": [*alternatives, {"token": '"', "logprob": -4.0}]})
    tokens = [token(head[:-1], 0.0), first, token(label[4:] + b'"}', 0.0)]
    answer = written_answer(content, lambda _: True)
    assert answer
    names = ["人事", "労務", "総務", "情シス"]
    assert next_likely(content, tokens, answer.span, names) == ["総務", "労務", "人事"]
    assert next_likely(content, tokens[:1], answer.span, names) == []
