"""The words after /finetune, as phones, chats and documents write them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.texts.typed import BECAUSE, read_command

VERBS = ("start", "review", "help", "switch")
DECORATED = [
    ("start", "start", ""),
    ("ｓｔａｒｔ", "start", ""),
    ("ＲＥＶＩＥＷ　ｈｅｒｅ", "review", "here"),
    ("*review* here", "review", "here"),
    ("_review here_", "review", "here"),
    ("`review here`", "review", "here"),
    ("「review here」", "review", "here"),
    ("“start”", "start", ""),
    ("（ start ）", "start", ""),
    ("&lt;start&gt;", "start", ""),
    ("\u200bst\u200bart\ufeff", "start", ""),
    ("review\u00a0here", "review", "here"),
    ("review\u3000 here", "review", "here"),
    ("start。", "start", ""),
    ("start: now", "start", "now"),
    ("recall ３ 'local/base'", "recall", "3 local/base"),
    ("switch ‘local/base_1’", "switch", "local/base_1"),
    ("prompt edit 総務（本社）", "prompt", "edit 総務(本社)"),
    ("prompt edit R&amp;D", "prompt", "edit R&D"),
    ("switch `v4` because “fine”（確認済み）", "switch", "v4 because “fine”（確認済み）"),
    ("/finetune review here", "review", "here"),
    ("／ｆｉｎｅｔｕｎｅ　ｒｅｖｉｅｗ", "review", ""),
    ("finetune", "", ""),
    ("switch「local/base」", "switch", "local/base"),
    ("ｓｗｉｔｃｈ（ｌｏｃａｌ／ｂａｓｅ）", "switch", "local/base"),
    ("recall“５”", "recall", "5"),
    ("switch ＜local/base＞", "switch", "local/base"),
    ("switch 〝local/base〟", "switch", "local/base"),
    ("review *<@U0EMILY0001|emily>*", "review", "<@U0EMILY0001|emily>"),
    ("\U000e0020start", "start", ""),
    ("", "", ""),
    ("　", "", ""),
    ("「」", "", ""),
]


@pytest.mark.parametrize(("text", "verb", "argument"), DECORATED)
def test_command_is_read_as_it_was_meant(text: str, verb: str, argument: str) -> None:
    assert read_command(text) == (verb, argument)


@given(
    verb=st.sampled_from(VERBS),
    around=st.sampled_from(
        [("", ""), ("*", "*"), ("`", "`"), ("「", "」"), ("“", "”"), ("(", ")"), ("\ufeff", "\u200b")]
    ),
    space=st.sampled_from([" ", "\u00a0", "\u3000", " \u200b "]),
    wide=st.booleans(),
)
def test_every_decoration_keeps_the_verb(verb: str, around: tuple[str, str], space: str, *, wide: bool) -> None:
    shown = "".join(chr(ord(letter) + 0xFEE0) for letter in verb) if wide else verb
    assert read_command(f"{around[0]}{shown}{around[1]}{space}x") == (verb, "x")


@given(st.text())
def test_no_verb_is_read_that_nobody_typed(text: str) -> None:
    verb, argument = read_command(text)
    if verb in VERBS:
        assert verb in unicodedata.normalize("NFKC", "".join(ch for ch in text if ch.isprintable())).casefold()
    assert argument == argument.strip()


@given(st.text())
def test_sentence_stays_as_it_was_typed(text: str) -> None:
    _, argument = read_command(f"switch v4 {BECAUSE} {text}")
    assert argument.startswith(f"v4 {BECAUSE}")
