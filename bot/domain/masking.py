"""Personal data is masked before a text is stored or sent."""

import re
from collections.abc import Callable, Sequence
from functools import partial

JAPANESE = "\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and kanji. They stand next to an address without a space, and are no part of it."""
MAIL = re.compile(
    # Begun only where nothing of the name stands before, and never given back: else a long word takes its square.
    rf"(?<![^\W{JAPANESE}])(?<![.．+%-])(?:[^\W{JAPANESE}]|[.．+%-])++"
    rf"[@＠](?:[^\W_{JAPANESE}]|-)++(?:[.．](?:[^\W_{JAPANESE}]|-)++)++"
)
EMPLOYEE = re.compile(
    r"((?:社員|従業員|職員)(?:番号|コード|ID)|employee\s*+(?:number|no\.?|id|#))(\s*+(?:は|が|is|:|：|=|#|＃)?\s*+)([A-Za-z]{0,4}-?\d[\d-]+\d)",
    re.IGNORECASE,
)
DATE = r"(?<!\d)\d{4}(?:-\d{1,2}-|\.\d{1,2}\.)\d{1,2}(?![-.]?\d)"
DIGIT_RUN = re.compile(
    rf"(?P<date>{DATE})"
    rf"|(?<![A-Za-z0-9])(?<!\d\.)[+＋]?\d(?:[-‐‑–−－ー()（）\s.]{{0,2}}(?!{DATE})\d)+(?![A-Za-z0-9])"
)
"""Digits as people write them: hyphens, spaces, brackets, full width. It may hold several numbers in a row. A date is
matched for itself, so that it is not taken for a part of the number beside it."""
CHUNK = re.compile(r"[+＋]?\d+")


def _ascii(chunk: str) -> str:
    """A chunk in the plain digits 0 to 9, behind a plain plus sign where it has one."""
    return "".join(str(int(ch)) if ch.isdecimal() else "+" for ch in chunk)


def _digits(chunks: Sequence[str]) -> str:
    return "".join(chunks).replace("+", "")


def _as_one(chunks: Sequence[str]) -> bool:
    """Whether chunks look like one number: written in threes or more, or digit by digit. A date does not."""
    sizes = {len(chunk) for chunk in chunks}
    return min(sizes) >= 3 or sizes == {1}


def _phone(chunks: Sequence[str]) -> bool:
    """A telephone number starts with a plus sign or a zero (the trunk prefix); others are orders, dates, sums."""
    digits = _digits(chunks)
    if chunks[0][0] == "+":
        return 9 <= len(digits) <= 15
    shape = len(chunks) <= 3 and len(chunks[0]) >= 2 and len(chunks[-1]) >= 3
    return shape and digits.startswith("0") and 10 <= len(digits) <= 11


def _card(chunks: Sequence[str]) -> bool:
    """Whether 14 to 16 digits pass the Luhn check of payment cards (ISO/IEC 7812-1)."""
    digits = _digits(chunks)
    if not (14 <= len(digits) <= 16 and _as_one(chunks)):
        return False
    doubled = (int(d) * (2 if n % 2 else 1) for n, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _my_number(chunks: Sequence[str]) -> bool:
    """Whether 12 digits carry the check digit of a Japanese individual number (総務省令第85号, 2014, article 5)."""
    digits = _digits(chunks)
    if not (len(digits) == 12 and _as_one(chunks)):
        return False
    weighted = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(digits[:11]), start=1))
    rest = weighted % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


MASKS = (("[phone]", _phone), ("[card]", _card), ("[my-number]", _my_number))
MOST_CHUNKS = 16
"""A number of 16 digits, written digit by digit."""


def _hidden(run: re.Match[str], *, word: str, is_one: Callable[[Sequence[str]], bool]) -> str:
    """A run of digits with each number of one kind replaced by a word; the longest reading of each counts."""
    written = run.group()
    if run["date"]:
        return written
    chunks = list(CHUNK.finditer(written))
    plain = [_ascii(chunk.group()) for chunk in chunks]
    kept, done, first = "", 0, 0
    while first < len(chunks):
        ends = range(min(len(chunks), first + MOST_CHUNKS), first, -1)
        last = next((end for end in ends if is_one(plain[first:end])), None)
        if last is None:
            first += 1
            continue
        kept += written[done : chunks[first].start()] + word
        done, first = chunks[last - 1].end(), last
    return kept + written[done:]


def masked(text: str) -> str:
    """The text with mail addresses, employee, telephone, card and My Numbers replaced by a word in brackets.

    Masking a masked text changes nothing.
    """
    before = None
    while text != before:  # what is masked may part what looked like one number
        before = text
        text = MAIL.sub("[mail]", text)
        for word, is_one in MASKS:
            text = DIGIT_RUN.sub(partial(_hidden, word=word, is_one=is_one), text)
        text = EMPLOYEE.sub(r"\1\2[employee-number]", text)
    return text
