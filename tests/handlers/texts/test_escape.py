"""Conversion from and to Slack's text format."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.texts.escape import MARKER, escaped, mention, mentions, one_line, plain_text, shorten, visible
from handlers.views.message import plain

BOT = "U0BOT"
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
NASTY = st.lists(st.sampled_from(["<!channel>", "<@U1>", "<https://x.example|here>", "&lt;", "&", "<", ">", "a", "日"]))


@settings(deadline=None)
@given(ANY | NASTY.map("".join), st.integers(min_value=1, max_value=300))
def test_no_text_can_mention_link_or_exceed_limit(text: str, limit: int) -> None:
    safe = escaped(text, limit)
    assert len(safe) <= max(limit, len(MARKER))
    assert "<" not in safe
    assert ">" not in safe
    assert re.findall(r"&(?!amp;|lt;|gt;)", safe) == []


@settings(deadline=None)
@given(ANY)
def test_short_text_is_shown_unchanged(text: str) -> None:
    if "&" not in text:
        assert html.unescape(escaped(text, 10_000)) == visible(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066a\u2069\u200b\ufeff\u00ad\u2060b\x1b\r\n\tc", "ab\n\tc"),
        ("ask\U000e0041\U000e0042 me", "ask me"),
        ("a\u200db 👩\u200d💻 ❤️ 葛\U000e0100", "ab 👩\u200d💻 ❤️ 葛"),
        ("日本語　と English", "日本語　と English"),
    ],
)
def test_hidden_characters_are_left_out(text: str, shown: str) -> None:
    assert visible(text) == escaped(text) == plain(text, 100)["text"] == shown


def test_quoted_sentence_forges_no_line() -> None:
    assert one_line("broken\n✅ *IT* · settled by <@U1>\u2028now") == "broken ✅ *IT* · settled by &lt;@U1&gt; now"


@settings(deadline=None)
@given(ANY)
def test_plain_text_restores_what_was_typed(text: str) -> None:
    typed = re.sub(r"[ \t]{2,}", " ", text).strip()
    assert plain_text(html.escape(typed, quote=False), BOT) == typed


@settings(deadline=None)
@given(ANY, st.integers(min_value=2, max_value=50))
def test_shortened_text_ends_with_marker(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or short.endswith(MARKER)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (f"<@{BOT}> may I?", "may I?"),
        (f"<@{BOT}|madoguchi> may I?", "may I?"),
        (f"hello <@{BOT}> may I?", "hello may I?"),
        ("ask <@U2|emily> or <@U3>", "ask @emily or @user"),
        ("see <#C1|help> or <#C2>", "see #help or #channel"),
        ("<!here> <!subteam^S1|@staff> <!subteam^S2>", "@here @staff @subteam"),
        ("<!date^1700000000^{date}|14 Nov>", "14 Nov"),
        ("<https://x.example/a>", "https://x.example/a"),
        ("<https://x.example|x.example>", "https://x.example"),
        ("<https://x.example/a|the form>", "the form (https://x.example/a)"),
        ("<mailto:a@x.example|a@x.example>", "a@x.example"),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&lt;@U1&gt; is no mention", "<@U1> is no mention"),
        ("1行目\n2行目", "1行目\n2行目"),
    ],
)
def test_ids_become_words(sent: str, read: str) -> None:
    assert plain_text(sent, BOT) == read


def test_only_ids_become_mentions() -> None:
    assert mention("U1") == "<@U1>"
    assert mention("W1") == "<@W1>"
    assert mention("S1") == "<!subteam^S1>"
    assert mention("everyone") is None
    assert mention("U1> <!channel") is None
    assert mention("Some team") is None
    assert mention("U1\n") is None
    assert mention("") is None
    assert mention(None) is None
    assert mentions(("U1", "S1")) == "<@U1>, <!subteam^S1>"
