"""The masking of personal data, before a text is stored or sent."""

import re
from collections.abc import Callable, Sequence
from functools import partial

from bot.domain.characters import clean_text

JAPANESE = "\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and kanji, which may touch a mail address without a space but are not part of it."""
MAIL = re.compile(
    # Look-behinds and possessive quantifiers keep the cost linear; it would be quadratic in the length of a word.
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
"""Digits as people write them: hyphens, spaces, brackets, full width. A run may hold several numbers. A date matches on
its own, so that it is not taken for a part of the number next to it."""
CHUNK = re.compile(r"[+＋]?\d+")


def _to_ascii(chunk: str) -> str:
    """Return a chunk in ASCII digits, with an ASCII plus sign if the chunk has a plus sign."""
    return "".join(str(int(ch)) if ch.isdecimal() else "+" for ch in chunk)


def _digits(chunks: Sequence[str]) -> str:
    return "".join(chunks).replace("+", "")


def _looks_like_one_number(chunks: Sequence[str]) -> bool:
    """Return whether chunks look like one number: all of three digits or more, or all of one digit. A date does not."""
    sizes = {len(chunk) for chunk in chunks}
    return min(sizes) >= 3 or sizes == {1}


def _is_phone(chunks: Sequence[str]) -> bool:
    """Return whether chunks are a telephone number.

    Telephone numbers start with a plus sign or a zero (the trunk prefix); other numbers are orders, dates or sums.
    """
    digits = _digits(chunks)
    if chunks[0][0] == "+":
        return 9 <= len(digits) <= 15
    shape = len(chunks) <= 3 and len(chunks[0]) >= 2 and len(chunks[-1]) >= 3
    return shape and digits.startswith("0") and 10 <= len(digits) <= 11


def _is_card(chunks: Sequence[str]) -> bool:
    """Return whether 14 to 16 digits pass the Luhn check of payment cards (ISO/IEC 7812-1)."""
    digits = _digits(chunks)
    if not (14 <= len(digits) <= 16 and _looks_like_one_number(chunks)):
        return False
    doubled = (int(d) * (2 if n % 2 else 1) for n, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _is_my_number(chunks: Sequence[str]) -> bool:
    """Return whether 12 digits have the check digit of a Japanese My Number (総務省令第85号, 2014, article 5)."""
    digits = _digits(chunks)
    if not (len(digits) == 12 and _looks_like_one_number(chunks)):
        return False
    weighted = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(digits[:11]), start=1))
    rest = weighted % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


MASKS = (("[phone]", _is_phone), ("[card]", _is_card), ("[my-number]", _is_my_number))
MOST_CHUNKS = 16
"""Maximum chunks of one number: 16 digits, written digit by digit."""


def _mask_run(run: re.Match[str], *, word: str, is_match: Callable[[Sequence[str]], bool]) -> str:
    """Return a run of digits with each number of one kind replaced by `word`; the longest possible number counts."""
    original = run.group()
    if run["date"]:
        return original
    chunks = list(CHUNK.finditer(original))
    plain = [_to_ascii(chunk.group()) for chunk in chunks]
    output, copied, first = "", 0, 0
    while first < len(chunks):
        ends = range(min(len(chunks), first + MOST_CHUNKS), first, -1)
        last = next((end for end in ends if is_match(plain[first:end])), None)
        if last is None:
            first += 1
            continue
        output += original[copied : chunks[first].start()] + word
        copied, first = chunks[last - 1].end(), last
    return output + original[copied:]


def masked(text: str) -> str:
    """Replace mail addresses and employee, telephone, card and My Numbers with a word in brackets.

    Characters that cannot be stored are replaced too. The function is idempotent.
    """
    text, before = clean_text(text), None
    while text != before:  # a mask may split what looked like one number
        before = text
        text = MAIL.sub("[mail]", text)
        for word, is_match in MASKS:
            text = DIGIT_RUN.sub(partial(_mask_run, word=word, is_match=is_match), text)
        text = EMPLOYEE.sub(r"\1\2[employee-number]", text)
    return text
