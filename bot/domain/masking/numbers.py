"""Telephone, card and My Numbers: runs of digits as people write them, told apart by their shape."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from bot.domain.masking.folded import Mask, Stretch
from bot.domain.masking.labelled import NUMBERED_MASKS

_DATE = r"(?<!\d)(?:19|20)\d\d(?:-\d{1,2}-|\.\d{1,2}\.)\d{1,2}(?![-.]?\d)"
_RUN = re.compile(
    rf"(?P<date>{_DATE})"
    r"|(?:(?<![A-Za-z0-9])|(?<=tel)|(?<=fax)|(?<=phone)|(?<=mobile))(?<!\d\.)"
    rf"(?P<run>[+]?\d(?:[-()\s._/]{{0,3}}(?!{_DATE})\d)+)(?![A-Za-z0-9])"
    r"(?P<extension>\s?(?:ext\.?|extension|x)\s?\d{1,6}(?!\w))?",
    re.IGNORECASE,
)
"""Digits with hyphens, spaces or brackets between them. A run may hold several numbers. A date matches on its own, so
that it is not taken for a part of the number next to it."""
_CHUNK = re.compile(r"[+]?\d+")
_PHONE_LABEL = re.compile(
    r"(?:電話(?:番号)?|携帯(?:番号|電話)?|連絡先|TEL|FAX"
    r"|(?<![a-z])(?:phone|mobile|cell|telephone|ph|contact number|text me|call me|reach me|try me|ring me))"
    r"(?:\s?(?:は|:|=|#|is|now|changed|to|on|at|no\.?|number|番号)){0,4}[\s*_~`|]{0,3}$",
    re.IGNORECASE,
)
_OTHER_LABEL = re.compile(
    r"(?:注文|伝票|資産|管理|受付|案件|申請|稟議|請求|見積|製造|部品|商品|会員|整理|追跡|問い合わせ|チケット|型番|品番"
    r"|シリアル|JAN|内線|会議|ミーティング|Zoom)\s?(?:書|ID|[Nn]o\.?|番号|コード|は|:|#){0,3}\s{0,2}$"
    r"|(?<![a-z])(?:order|asset|ticket|invoice|PO|serial|tracking|case|ref(?:erence)?|item|part|model|ISBN|EAN|UPC|SKU"
    r"|version|build|timestamp|epoch|meeting|zoom|extension|ext\.?|reader)"
    r"(?:\s?(?:tag|id|no\.?|number|code|#|:|is)){0,3}\s{0,2}$",
    re.IGNORECASE,
)
"""Labels of numbers of other kinds."""
_CODE = re.compile(r"(?<![A-Za-z])[A-Za-z]{1,8}-$")
"""Letters that make one code with the digits behind them, such as an invoice's."""
_BEFORE = 32
"""Characters before a number that are read to see what it is."""
_COUNTRIES = ("1", "7", "20", "27", "3", "4", "5", "6", "81", "82", "84", "86", "9")
"""First digits of the country codes that may follow 00."""
_MOST_PHONE_CHUNKS = 6
"""Maximum chunks of a telephone number."""


def _digits(chunks: Sequence[str]) -> str:
    return "".join(chunks).replace("+", "")


def _looks_like_one_number(chunks: Sequence[str]) -> bool:
    """Return whether chunks look like one number: all of three digits or more, or all of one digit. A date does not."""
    sizes = {len(chunk) for chunk in chunks}
    return min(sizes) >= 3 or sizes == {1}


def _is_phone(chunks: Sequence[str], label: str) -> bool:
    """Return whether chunks are a telephone number.

    It starts with a plus sign, an international prefix or a zero (the trunk prefix), or it is written as in North
    America. Other numbers are orders, dates or sums, unless a label says otherwise.
    """
    digits = _digits(chunks)
    if not (len(digits) >= 9 and len(chunks) <= _MOST_PHONE_CHUNKS):
        return False
    if chunks[0][0] == "+":
        return len(digits) <= 15
    if len(digits) <= 13 and len(chunks) <= 4 and _PHONE_LABEL.search(label):
        return True
    if digits.startswith("01081") and len(chunks) > 1:
        return 13 <= len(digits) <= 16
    if digits.startswith("00"):
        called = len(chunks) > 1 and 11 <= len(digits) <= 17 and digits[2:].startswith(_COUNTRIES)
        return called and not _begins_as_my_number(chunks, label)
    chunks = [chunks[0] + chunks[1], *chunks[2:]] if chunks[0] == "0" and label[-1:] == "(" else chunks  # (0)20 …
    shape = len(chunks) <= 3 and len(chunks[0]) >= 2 and len(chunks[-1]) >= 3
    national = shape and digits[0] == "0" and 10 <= len(digits) <= 11
    return (national or _is_american(chunks)) and not _OTHER_LABEL.search(label)


def _is_american(chunks: Sequence[str]) -> bool:
    parts = chunks[1:] if chunks[0] == "1" and len(chunks) == 4 else chunks
    sizes = [len(part) for part in parts]
    return sizes == [3, 3, 4] and all(part[0] in "23456789" for part in parts[:2])


def _is_card(chunks: Sequence[str], label: str) -> bool:
    """Return whether 13 to 19 digits begin as payment cards do and pass their Luhn check (ISO/IEC 7812-1)."""
    digits = _digits(chunks)
    if not (13 <= len(digits) <= 19 and _is_issued(digits) and _looks_like_one_number(chunks)):
        return False
    doubled = (int(d) * (2 if n % 2 else 1) for n, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0 and not _OTHER_LABEL.search(label)


def _is_issued(digits: str) -> bool:
    size, first = len(digits), digits[:2]
    if digits.startswith("4"):
        return size in {13, 16, 19}
    if first in {"34", "37"}:
        return size == 15
    if first in {"30", "36", "38", "39"}:
        return size in {14, 16}
    if first == "35":
        return 16 <= size <= 19
    if "51" <= first <= "55" or "22" <= first <= "27":
        return size == 16
    return first in {"50", "56", "57", "58"} or digits.startswith("6")


def _is_my_number(chunks: Sequence[str], label: str) -> bool:
    """Return whether 12 digits have the check digit of a Japanese My Number (総務省令第85号, 2014, article 5)."""
    digits = _digits(chunks)
    if not (len(digits) == 12 and _looks_like_one_number(chunks)):
        return False
    weighted = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(digits[:11]), start=1))
    rest = weighted % 11
    other = _OTHER_LABEL.search(label) or _CODE.search(label)
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest) and not other


def _begins_as_my_number(chunks: Sequence[str], label: str) -> bool:
    """Return whether the first 12 digits are a My Number, written as one or in fours."""
    sizes = [len(chunk) for chunk in chunks]
    first = 1 if sizes[0] == 12 else 3 if sizes[:3] == [4, 4, 4] else 0
    return bool(first) and _is_my_number(chunks[:first], label)


class _Kind(NamedTuple):
    """A kind of number: its test, the fewest and most digits, first digits, and whether an extension belongs to it."""

    is_match: Callable[[Sequence[str], str], bool]
    least: int
    most: int
    begins: str = "+0123456789"
    extends: bool = False


def _numbers(folded: str, *, kind: _Kind) -> Iterator[Stretch]:
    """Return each number of one kind; the longest possible number counts."""
    for found in _RUN.finditer(folded):
        if found["date"]:
            continue
        chunks = list(_CHUNK.finditer(folded, found.start("run"), found.end("run")))
        plain, first = [chunk.group() for chunk in chunks], 0
        while first < len(chunks):
            start = chunks[first].start()
            named = start if kind.extends else found.start()  # a part of a longer number is named before its beginning
            label = folded[max(0, named - _BEFORE) : named]
            label = label if folded.startswith("0)", named) else label.rstrip("(")
            last = next((end for end in _ends(plain, first, kind) if kind.is_match(plain[first:end], label)), None)
            if last is None:
                first += 1
                continue
            to_the_end = kind.extends and last == len(chunks) and found["extension"]
            start -= folded[start - 1 : start] == "(" and ")" in folded[start : chunks[last - 1].end()]
            yield Stretch(start, found.end() if to_the_end else chunks[last - 1].end())
            first = last


def _ends(chunks: Sequence[str], first: int, kind: _Kind) -> list[int]:
    """Return where a number may end that begins with this chunk, the longest first."""
    ends: list[int] = []
    if chunks[first][0] in kind.begins:
        digits = 0
        for end in range(first, min(len(chunks), first + kind.most)):
            digits += len(chunks[end])
            if digits > kind.most + 1:  # the plus sign is no digit
                break
            if digits >= kind.least:
                ends.append(end + 1)
    return ends[::-1]


NUMBER_MASKS = (
    Mask("[card]", partial(_numbers, kind=_Kind(_is_card, 13, 19, begins="23456")), digits=13),
    Mask("[phone]", partial(_numbers, kind=_Kind(_is_phone, 9, 17, extends=True)), digits=9),
    Mask("[my-number]", partial(_numbers, kind=_Kind(_is_my_number, 12, 12)), digits=12),
    *NUMBERED_MASKS,
)
