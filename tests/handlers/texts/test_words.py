"""The texts: complete, in both languages, and with words for all that the domain can say."""

import re
from string import Formatter

import pytest

from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.question import Notice
from handlers.texts.words import LANGUAGES, Language, Words, language_of, texts


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same_things() -> None:
    ja, en = texts("ja"), texts("en")
    assert ja.keys() == en.keys()
    assert {key: placeholders(text) for key, text in ja.items()} == {key: placeholders(en[key]) for key in ja}


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_words_for_all_that_may_have_to_be_said(language: Language) -> None:
    known = texts(language)
    wanted = [f"refused.{r.value}" for r in Reason] + [f"notice.{n.value}" for n in Notice]
    wanted += [f"finetune.state.{s.value}" for s in FinetuneState]
    assert [key for key in wanted if not known.get(key)] == []


def test_japanese_is_japanese_and_english_is_not() -> None:
    kana = re.compile(r"[぀-ヿ一-鿿]")
    english = {key for key, text in texts("en").items() if kana.search(text)}
    assert english == set()
    for key, text in texts("ja").items():
        said = re.sub(r"\{\w+\}|%\(\w+\)s|`[^`]*`", "", text)
        assert kana.search(said) or not re.search(r"[a-z]{4}", said), key


@pytest.mark.parametrize(
    ("locale", "configured", "language"),
    [("ja-JP", None, "ja"), ("en-GB", None, "en"), ("fr-FR", None, "en"), (None, None, "en"), ("en-US", "ja", "ja")],
)
def test_the_configured_language_wins(locale: str | None, configured: str | None, language: str) -> None:
    assert language_of(locale, configured) == language


def test_a_missing_word_or_fact_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words("en")("card.nothing_like_it")
    with pytest.raises(KeyError):
        Words("en")("card.owner")


def test_a_refusal_neutralises_what_people_typed_and_keeps_the_mentions_of_who_may() -> None:
    words = Words("en")
    assert "&lt;!channel&gt;" in words.refusal(Refused(Reason.UNKNOWN_RELEASE, name="<!channel>"))
    assert "<@U1>" in words.refusal(Refused(Reason.NOT_ADMIN, who="<@U1>"))
