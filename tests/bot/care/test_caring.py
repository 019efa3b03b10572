"""Cries for help are told from ordinary messages, by phrases and by meaning."""

import logging
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.care.caring import MOST_SENTENCES, Caring, pieces_of
from bot.care.phrases import has_phrase
from tests.bench.care import PackagedVectors, care_texts, history_texts, share

MEASURED = [one for one in care_texts() if one.measured]
HISTORY = history_texts("en") + history_texts("ja")


class BrokenEncoder:
    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        raise MemoryError(texts)


class NoEncoder:
    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        return None


@pytest.mark.parametrize(
    "text",
    [
        "My manager keeps touching me",
        "im gonna kil myself",
        "I’m being HARRASED at work",
        "もう死にたいです",
        "ﾊﾟﾜﾊﾗ　されてます",
        "せくはら を うけています",
        "胸が\n苦しい。動けません",
        "請求書の締め切りはいつですか。それと、上司に殴られました。",
        "mou shinitai desu",
        "kiete shimaitai",
        "jisatsu shitai",
        "joushi no PAWAHARA de tsurai",
        "ijimerarete imasu",
        "dial number 911 now",
    ],
)
def test_phrase_is_found_in_any_spelling(text: str) -> None:
    assert any(map(has_phrase, pieces_of(text)))


@pytest.mark.parametrize(
    "text",
    [
        "Where do I sign up for the harassment training?",
        "Please kill the process on the build server",
        "There is a strange smell, and grouping of cells fails",
        "ハラスメント研修の申込はどこですか",
        "死亡保険の手続きを教えてください",
        "救急箱はどこですか",
        "眠くて死にそうです",
        "血圧の検診はいつですか",
        "The printer is bleeding ink everywhere",
        "How do I reset password number 911? Is it the one of room 911?",
        "会議室のマイクが死にました",
        "バグにいじめられてます",
        "刃物の持ち込み申請は必要ですか",
        "交通費を水増し請求しないための注意点は？",
    ],
)
def test_ordinary_work_holds_no_phrase(text: str) -> None:
    assert not any(map(has_phrase, pieces_of(text)))


async def test_shares_on_unseen_texts_hold() -> None:
    cries = [one for one in MEASURED if one.cry]
    assert len(cries) >= 150
    assert await share(cries, Caring(PackagedVectors())) >= 0.98
    assert await share(cries, Caring()) >= 0.90
    like_cries = [one for one in MEASURED if not one.cry][::4]
    assert await share(like_cries, Caring(PackagedVectors())) <= 0.05
    # The other texts of the histories were fitted, each with its sentences: none of them is a false alarm.
    unseen = [one for one in HISTORY if one.measured]
    assert await share(unseen, Caring(PackagedVectors())) * len(unseen) / len(HISTORY) <= 0.02


async def test_meaning_finds_what_no_phrase_says() -> None:
    text = "my manager reads my private messages aloud to embarrass me"
    assert not has_phrase(text)
    assert not await Caring().needs_help(text)
    assert await Caring(PackagedVectors()).needs_help(f"When is the canteen open? {text}.")


@pytest.mark.parametrize("encoder", [BrokenEncoder(), NoEncoder()])
async def test_phrases_decide_without_vectors(
    encoder: BrokenEncoder | NoEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert await Caring(encoder).needs_help("He touched me and I am scared")
    assert not await Caring(encoder).needs_help("Where is the canteen, Mr. Secret?")
    assert "Secret" not in caplog.text


def test_only_some_sentences_of_long_texts_are_encoded() -> None:
    text = "\n".join(f"This is line number {n}." for n in range(100))
    assert len(pieces_of(text)) == MOST_SENTENCES
    assert pieces_of(text)[-1] == "This is line number 99."
    assert pieces_of(" ") == []
