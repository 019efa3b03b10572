"""Encodings: what can be told apart is read, the rest is refused by name, and no row holds garbled text."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dataset.reading import read
from bot.dataset.reading.encodings import ENCODINGS, known_encoding
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions

JAPANESE = "質問,分類\n有給は何日前？,労務\nPCが遅い,IT\n"
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
READ = ["utf-8", "utf-8-sig", "utf-16", "utf-32", *WIDE, "cp932", "euc_jp", "iso2022_jp"]


@pytest.mark.parametrize("encoding", READ)
@pytest.mark.parametrize("text", [JAPANESE, "質問,分類\n鍵紛失,総務\n", "text,category\n鍵をなくした,総務\n"])
def test_short_japanese_file_is_read(text: str, encoding: str) -> None:
    expected = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    found = list(read(text.encode(encoding)))
    assert [(one.text, one.category) for one in found if isinstance(one, Labelled)] == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE])
def test_mark_decides(mark: bytes) -> None:
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF32_BE: "utf-32-be"}[mark]
    assert [type(one) for one in read(mark + JAPANESE.encode(encoding))] == [Labelled, Labelled]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("text,category\nI can’t log in,IT\n", "cp1252"),
        ("text,category\nWo ist der Schlüssel für die Tür?,IT\n", "latin-1"),
        ("text,category\n休假怎么申请？,劳务\n打印机坏了,信息\n", "gbk"),
        ("text,category\n휴가는 언제 신청합니까?,노무\n", "cp949"),
        ("text,category\n請假要幾天前申請？,勞務\n", "big5"),
        ("text,category\nкак взять отпуск?,HR\n", "koi8-r"),
    ],
)
def test_other_encoding_is_refused_until_named(text: str, encoding: str) -> None:
    (bad,) = read(text.encode(encoding))
    assert isinstance(bad, BadLine)
    assert bad.why is Flaw.ENCODING
    assert all(name in bad.facts["encodings"] for name in ("cp932", "euc_jp", "iso2022_jp", "utf-16"))
    rows = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    named = read(text.encode(encoding), ReadingOptions(encoding=encoding))
    assert [(one.text, one.category) for one in named if isinstance(one, Labelled)] == rows


@pytest.mark.parametrize("data", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0\xa1\xb1", b"%PDF-1.7"])
def test_workbook_is_refused_as_binary(data: bytes) -> None:
    (bad,) = read(data)
    assert isinstance(bad, BadLine)
    assert bad.why is Flaw.BINARY


def test_named_encoding_must_exist() -> None:
    assert all(map(known_encoding, [*ENCODINGS, "shift_jis", "latin-1"]))
    assert not any(map(known_encoding, ["", "klingon", "hex", "rot13", "undefined", "a\x00b"]))


sentences = st.text("有給休暇の申請は何日前ですかパソコンが遅い鍵を失くした経費精算ーー、。？", min_size=4, max_size=30)


@given(st.lists(sentences, min_size=1, max_size=6), st.sampled_from(READ))
def test_no_row_is_garbled_in_any_encoding(texts: list[str], encoding: str) -> None:
    """A short text may be refused, but what is read is what was written."""
    data = "".join(["text,category\n", *(f"{text},労務\n" for text in texts)]).encode(encoding)
    found = list(read(data))
    assert [one.text for one in found if isinstance(one, Labelled)] in ([], texts)
    assert found


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), min_size=3, max_size=30),
    st.sampled_from(["cp1252", "latin-1", "cp1250", "iso8859-15"]),
)
def test_european_text_never_becomes_japanese(text: str, encoding: str) -> None:
    data = f'{{"text": "caf\u00e9 {text}", "category": "IT"}}'.encode(encoding, errors="ignore")
    for one in read(data):
        assert not isinstance(one, Labelled) or not any("\u3041" <= ch <= "\u9fff" for ch in one.text)
