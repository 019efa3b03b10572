"""Personal data is masked before a text is stored or sent."""

import re

MAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
EMPLOYEE = re.compile(
    r"((?:社員|従業員|職員)(?:番号|コード|ID)|employee\s*(?:number|no\.?|id|#))(\s*(?:は|が|is|:|：|=|#|＃)?\s*)([A-Za-z]{0,4}-?\d{3,10})",
    re.IGNORECASE,
)
DIGITS = re.compile(r"(?<![\w.])\+?[0-90-9](?:[-‐‑–−ー()()\s.]{0,2}[0-90-9]){8,15}(?![\w])")
"""A run of 9 to 16 digits as people write them: hyphens, spaces, brackets, full width."""


def _my_number(digits: str) -> bool:
    """Whether 12 digits carry the check digit of a Japanese individual number (総務省令第85号, 2014, article 5)."""
    if len(digits) != 12:
        return False
    weighted = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(digits[:11]), start=1))
    rest = weighted % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def _card(digits: str) -> bool:
    """Whether 14 to 16 digits pass the Luhn check of payment cards (ISO/IEC 7812-1)."""
    if not 14 <= len(digits) <= 16:
        return False
    doubled = (int(d) * (2 if n % 2 else 1) for n, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _number(match: re.Match[str]) -> str:
    written = match.group()
    digits = "".join(str(int(ch)) for ch in written if ch.isdecimal())
    if _my_number(digits):
        return "[my-number]"
    if _card(digits):
        return "[card]"
    # A telephone number starts with a plus sign or a zero (the trunk prefix); others are orders, dates, sums.
    if written.startswith("+") or (digits.startswith("0") and 10 <= len(digits) <= 11):
        return "[phone]"
    return written


def masked(text: str) -> str:
    """The text with mail addresses, employee, telephone, card and My Numbers replaced by a word in brackets.

    Masking a masked text changes nothing.
    """
    text = MAIL.sub("[mail]", text)
    text = EMPLOYEE.sub(r"\1\2[employee-number]", text)
    return DIGITS.sub(_number, text)
