"""The texts: complete in both languages, with a text for everything the domain can say."""

import re
from string import Formatter

import pytest

from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.question import Notice
from handlers.texts.words import LANGUAGES, Language, Words, language_of, texts


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_have_same_keys_and_placeholders() -> None:
    ja, en = texts("ja"), texts("en")
    assert ja.keys() == en.keys()
    assert {key: placeholders(text) for key, text in ja.items()} == {key: placeholders(en[key]) for key in ja}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_notice_and_state_has_text(language: Language) -> None:
    known = texts(language)
    wanted = [f"refused.{r.value}" for r in Reason] + [f"notice.{n.value}" for n in Notice]
    wanted += [f"finetune.state.{s.value}" for s in FinetuneState]
    assert [key for key in wanted if not known.get(key)] == []


def test_texts_are_in_their_language() -> None:
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
def test_configured_language_wins(locale: str | None, configured: str | None, language: str) -> None:
    assert language_of(locale, configured) == language


def test_missing_key_or_fact_raises() -> None:
    with pytest.raises(KeyError):
        Words("en")("card.nothing_like_it")
    with pytest.raises(KeyError):
        Words("en")("card.owner")


def test_refusal_escapes_facts_but_keeps_mentions() -> None:
    words = Words("en")
    assert "&lt;!channel&gt;" in words.refusal(Refused(Reason.UNKNOWN_RELEASE, name="<!channel>", near="v1"))
    assert "<@U1>" in words.refusal(Refused(Reason.NOT_ADMIN, who="<@U1>"))


def test_number_has_the_noun_that_fits() -> None:
    counts = {"added": 1, "changed": 0, "same": 2, "bad": 0}
    assert (
        Words("en")("cli.import.done", **counts) == "1 training example added, 0 changed, 2 already there, 0 bad lines"
    )
    assert Words("en")("cli.import.done", **counts | {"added": 2, "bad": 1}).endswith("1 bad line")
