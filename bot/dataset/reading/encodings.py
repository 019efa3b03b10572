"""The text of a file in whichever encoding it was saved.

charset-normalizer takes short Japanese files for Korean ones, so the encodings that Japanese files come in are told
apart here. A text that could be another one is refused instead of guessed.
"""

import codecs
import re
import unicodedata

from bot.domain.labelled import Flaw

ENCODINGS = ("utf-8", "utf-16", "utf-32", "cp932", "euc_jp", "iso2022_jp")
"""Encodings that are recognised, as a person may write them."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks. UTF-32's begins with UTF-16's, so it comes first."""
BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b")
"""Beginnings of workbooks, archives and other files without text."""
PLAINLY_JAPANESE = re.compile(
    r"[\u3041-\u3096\u30a1-\u30f6]|\u8cea\u554f|\u672c\u6587|\u5206\u985e|\u4ef6\u540d|\u5185\u5bb9"
)
"""Kana, or a Japanese name of a column: text that no other language's bytes make by accident."""
MOST_BROKEN = 0.1
"""Share of unreadable characters, among those beyond ASCII, up to which only their own lines are bad."""


def decode(data: bytes, encoding: str = "") -> str | Flaw:
    """Return the text of a file, or why there is none.

    Unreadable bytes become replacement characters, so that they spoil only their own lines.

    Args:
        data: The file.
        encoding: The encoding that a person named; empty lets the bytes decide.
    """
    if encoding:
        return _decoded(data, encoding).removeprefix("\ufeff")
    if data.startswith(BINARY):
        return Flaw.BINARY
    if marked := next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None):
        return _decoded(data, marked)
    return _recognised(data)


def _recognised(data: bytes) -> str | Flaw:
    """Return the text of a file without a mark."""
    if b"\x1b$" in data or b"\x1b(" in data:
        return _iso2022(data)
    utf8 = _decoded(data, "utf-8")
    if "\ufffd" not in utf8 and data.count(0) * 4 < len(data):
        return utf8
    wide = _wide(data) if 0 in data else None
    return wide or _legacy(data, utf8)


def known_encoding(name: str) -> bool:
    """Return whether Python decodes this encoding to text."""
    try:
        b"".decode(name)
        return bool(name) and "a,\n".encode(name) != b""
    except (LookupError, UnicodeError, ValueError):
        return False


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, errors="replace")
    except (UnicodeError, ValueError):
        return "\ufffd"


def _iso2022(data: bytes) -> str | Flaw:
    """Return the text of the variant that reads most of it. An escape that none reads is no text."""
    readings = [_decoded(data, name) for name in ("iso2022_jp", "iso2022_jp_ext", "iso2022_jp_2004")]
    best = min(readings, key=lambda text: text.count("\ufffd") + text.count("\x1b"))
    return best.replace("\x1b", "\ufffd") if PLAINLY_JAPANESE.search(best) or "\x1b" not in best else Flaw.ENCODING


def _wide(data: bytes) -> str | None:
    """Return the text of a file in UTF-32 or UTF-16 without a mark, if exactly one reading is text."""
    readings = [_decoded(data, name) for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")]
    plausible = [text for text in readings if _is_text(text)]
    return plausible[0] if len(plausible) == 1 else None


def _is_text(text: str) -> bool:
    """Return whether every character is assigned and some separate records or fields."""
    kinds = {unicodedata.category(ch) for ch in set(text) - set("\r\n\t")}
    return not kinds & {"Cc", "Cn", "Co", "Cs"} and "\ufffd" not in text and bool(re.search(r"[\r\n,;\t{]", text))


def _legacy(data: bytes, utf8: str) -> str | Flaw:
    """Return the text of a file in one of the encodings of Japan, or of UTF-8 with a few broken bytes."""
    if _mostly_whole(utf8, most=0.25):
        return utf8
    readings = [_decoded(data, name) for name in ("cp932", "euc_jp", "euc_jis_2004")]
    best = min(readings, key=lambda text: (text.count("\ufffd"), -len(PLAINLY_JAPANESE.findall(text))))
    return best if PLAINLY_JAPANESE.search(best) and _mostly_whole(best, most=MOST_BROKEN) else Flaw.ENCODING


def _mostly_whole(text: str, *, most: float) -> bool:
    beyond_ascii = sum(ch > "\x7f" for ch in text)
    private = sum("\ue000" <= ch <= "\uf8ff" for ch in text)
    return text.count("\ufffd") + private <= most * beyond_ascii
