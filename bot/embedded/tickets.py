"""What a text of many sentences asks: a few of them stand for it, so that a story does not drown the question."""

import re
from collections.abc import Container, Sequence

import numpy as np

from bot.embedded.courtesies import COURTESIES
from bot.embedded.encoders import all_sentences
from bot.embedded.features import FUNCTION_WORDS, Floats, TextSpace, casefolded, is_japanese, subject_runs
from bot.embedded.stories import STORY_SENTENCES

_JAPANESE_ASKS = re.compile(
    r"""
    \? | (?:か|かな|かしら|っけ)[。.!]?\s*$
    | 教え | 知りた | (?:くだ|下)さ[いれ] | 願い | いただけ | 頂け | もらえ | くれ(?:ま(?!した)|な|る|[。.]|$)
    | でしょう | (?:ほし|欲し|(?<!み)た)[いく] | どう[すしやい] | どこ | どの | どれ | どちら | いつ | いくら | いくつ
    | 誰に | なぜ | 何[がをでにか時日] | 方法 | やり方 | 手順
    | なくし | 失くし | 紛失 | 壊れ | 故障 | エラー | 不具合 | 困って | 間違 | おかし | 足り
    | (?<!て)(?:[かがさたなばまらわ来えけげせてねべめれい]ない | [いきぎしちにびみり来えけげせてねべめれ]ません)
        (?=$|[。.、]|です|んで|ので|が)
    """,
    re.VERBOSE | re.MULTILINE,
)
_REPORTED = re.compile(r"(?:^|(?<=[、。.]))[^、。.]*(?:と|って)(?:言|書|聞|伝|話|約束)")
"""A clause of what somebody else said or wished."""
_JAPANESE_TELLS = re.compile(r"(?:[ただ]|て(?:い|お)?(?:る|ます|ません)|でおります|そうです)[。.!]?\s*$", re.MULTILINE)
_ENGLISH_ASKS = re.compile(
    r"""
    \? | \bplease\W*$
    | (?:^(?:and\ |so\ |but\ |also\ |then\ )?|[,:]\s)(?:how|what|where|when|why|who|whom|whose|which|can|could|may
        |should|would|will|do|does|did|is|are|please|pls)\b
    | ^(?:might|shall|am|was|were|has|have|any|kindly|need|tell|show|give|send|help)\b
    | \b(?:please|pls|i|we)\s(?:\w+\s)?(?:need|want|would|must|lost|forgot|cannot|can['’]t|can\ not|couldn['’]t)\b
    | \b(?:i|we)['’]d\b | \b(?:isn|aren|won|doesn|don|can|hasn|haven|didn|wasn|couldn)['’]t\b
    | \bno\ longer\b | \bnot\ (?:been|work\w*|arriv\w*)\b
    | \b(?:broken|missing|fails?|failed|error|stuck|wrong|stolen|lost|declined)\b
    """,
    re.VERBOSE | re.MULTILINE,
)
_ENGLISH_TELLS = re.compile(
    r"""
    \b(?:was|were|had|did|said|told|went|came|took|thought|made|got|saw|gave|found|kept|sat|met|left|wrote|spoke
        |called|knew|felt|began|ran|stood|(?!need\b)\w{2,}ed)\b
    """,
    re.VERBOSE | re.MULTILINE,
)
_FEW = 6
"""Most sentences of a text all of which may be the question."""
_WIDTH_READ = 600
"""Width of the sentences that are encoded, in letters; kanji and kana count twice, and each sentence costs more."""
_MOST_READ = 24
_WIDTH_OF_SENTENCE = 12
_RIDGE = 0.002
_NOT_COURTESY, _KNOWN, _COMPANY, _ASKING, _REQUEST, _BEFORE = 3.3, 5.3, 3.4, 6.9, 4.1, 4.5
"""Fitted to 320 questions of four sources, each among sentences of three kinds, by the likelihood of the question."""
_MARGIN = 4.0
_MOST_KEPT = 5
"""Measured, as the margin: with fewer sentences, tickets full of courtesies lose their question more often."""


def is_ticket(text: str) -> bool:
    """Return whether a text has so many sentences that most of them can't be the question."""
    return len(all_sentences(text)) > _FEW


def asking(sentence: str) -> float:
    """Return how likely the form says that a sentence asks: 1 for a question, a wish, an order or a trouble.

    It is 0 for what happened or how things are, and else 0.5.
    """
    plain = casefolded(sentence)
    if is_japanese(plain):
        plain, asks, tells = _REPORTED.sub("", plain), _JAPANESE_ASKS, _JAPANESE_TELLS
    else:
        asks, tells = _ENGLISH_ASKS, _ENGLISH_TELLS
    if asks.search(plain):
        return 1.0
    return 0.0 if tells.search(plain) else 0.5


def request_in(text: str, space: TextSpace, known: Floats, company: tuple[str, ...] = ()) -> str:
    """Return the sentences of a ticket that are likeliest its request, in their order; other texts as they are.

    First the words choose what is worth encoding: sentences that ask, that stand before one that asks, and whose words
    the company knows. Then the meaning chooses: what is like the company's questions and unlike stories and courtesies.

    Args:
        text: The question.
        space: Where the sentences are compared; it has an encoder.
        known: The meanings of what the company asks.
        company: The texts behind `known`, if they are not the space's own.
    """
    sentences = all_sentences(text)
    if len(sentences) <= _FEW:
        return text
    asks = np.array([asking(one) for one in sentences], dtype=np.float32)
    before = (np.append(asks[1:] == 1, False) & (asks < 1)).astype(np.float32)
    read = _worth_reading(sentences, asks, before, space.vocabulary.columns)
    found = [sentences[at] for at in read]
    meanings = space.meanings(found)
    scores = (
        _KNOWN * (meanings @ known.T).max(axis=1)
        - _NOT_COURTESY * (meanings @ space.lasting_meanings(COURTESIES).T).max(axis=1)
        + _COMPANY * space.company_likeness(found)
        + _REQUEST * (meanings @ space.lasting(("requests", *company), lambda: _towards_requests(space, known)))
        + _ASKING * asks[read]
        + _BEFORE * before[read]
    )
    best = np.sort(np.argsort(-scores, kind="stable")[:_MOST_KEPT])
    return ("" if is_japanese(text) else " ").join(found[at] for at in best if scores[at] >= scores.max() - _MARGIN)


def _worth_reading(sentences: Sequence[str], asks: Floats, before: Floats, known: Container[str]) -> list[int]:
    """Return which sentences to encode: by their form, and by the share of their words that the company knows."""
    pieces = [[piece for run in subject_runs(one) for piece in _pieces(run)] for one in sentences]
    familiar = {piece for piece in {piece for found in pieces for piece in found} if piece in known}
    shares = np.array([sum(piece in familiar for piece in found) / max(len(found), 1) for found in pieces])
    chosen: list[int] = []
    width = 0
    for at in np.argsort(-(asks + 0.5 * before + 0.5 * shares), kind="stable").tolist():
        width += _WIDTH_OF_SENTENCE + sum(2 if char > "\u2e80" else 1 for char in sentences[at])
        if chosen and (width > _WIDTH_READ or len(chosen) == _MOST_READ):
            break
        chosen.append(at)
    return sorted(chosen)


def _pieces(run: str) -> list[str]:
    """Return the feature of a word, or those of pairs of kanji and katakana."""
    if not is_japanese(run):
        return [] if run in FUNCTION_WORDS else [f"_{run}"]
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _towards_requests(space: TextSpace, known: Floats) -> Floats:
    """Return the direction from stories and courtesies to what the company asks, by least squares with a penalty."""
    told = space.lasting_meanings(COURTESIES + STORY_SENTENCES)
    meanings = np.vstack([known, told]).astype(np.float64)
    meanings = np.hstack([meanings, np.ones((len(meanings), 1))])
    shares = np.repeat([0.5 / len(known), 0.5 / len(told)], [len(known), len(told)])
    truth = np.repeat([1.0, -1.0], [len(known), len(told)])
    weighted = meanings.T * shares
    matrix = weighted @ meanings + _RIDGE * np.eye(meanings.shape[1])
    return np.linalg.solve(matrix, weighted @ truth)[:-1].astype(np.float32)
