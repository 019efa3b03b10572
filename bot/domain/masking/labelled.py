"""Numbers and dates that only the words before them, or a check digit, make personal."""

import re
from collections.abc import Callable, Iterable, Iterator

from bot.domain.masking.folded import Mask, Stretch
from bot.domain.masking.secrets import matches

_SIGNS = r"[\s*_~`|]{0,4}"
"""Spaces, and the signs with which people make text bold, code or a table."""
_IS = (
    rf"(?:{_SIGNS}(?:は|が|を|も|[:;=#→⇒>、,-]|\.{{2,3}}|is|was|now|'s|の?番号は?|\([^\d()\s]{{1,6}}\))){{0,3}}{_SIGNS}"
    rf"(?:西暦)?[「『(（【〔\"'<]?{_SIGNS}"
)
"""Matches the link between a label and its value."""
_NO = r"(?:\s?(?:番号|ナンバー|コード|[Nn][Oo]s?\.?|№|IDs?|Id|ids?|#|＃|numbers?|num\.?|code))"
_END = r"(?![A-Za-z0-9])"
_AND = re.compile(r"\s?(?:、|,|/|・|と|及び|および|and|&)\s?(?:and\s)?")
"""Matches the separator between several values of one label."""
_NO_VALUE = re.compile(r"[A-Za-z0-9]|\s?[年月日円名人件回枚個%]")
"""Matches more of the same number, or the unit that makes it a count."""


def _behind(pattern: re.Pattern[str]) -> Callable[[str], Iterable[Stretch]]:
    """Return a search for the value after a label, and for the further values of the same form that follow it."""

    def find(folded: str) -> Iterator[Stretch]:
        end = 0
        for found in pattern.finditer(folded):
            if found.start("value") < end:
                continue
            end = found.end("value")
            yield Stretch(found.start("value"), end)
            size, form = len(found["value"]), _form(found["value"])
            while between := _AND.match(folded, end):
                start = between.end()
                if _form(folded[start : start + size]) != form or _NO_VALUE.match(folded, start + size):
                    break
                end = start + size
                yield Stretch(start, end)

    return find


def _form(value: str) -> str:
    """Return the value with one sign for all digits and one for all letters."""
    return "".join("0" if ch.isdigit() else "A" if ch.isalpha() else ch for ch in value)


_NEXT = r"(?:-?\d| (?=\d{3,}(?![\d年月]))\d)"
"""One more digit of a number in groups. After a space there must be a group, not a count or a year."""
_NO_MORE = r"(?!-?\d| \d{3})"
"""The end of a number that would be of another kind if it were longer."""


def after(label: str, value: str, *, ascii_only: bool = False) -> re.Pattern[str]:
    """Return the pattern of a value behind its label."""
    flags = re.IGNORECASE | (re.ASCII if ascii_only else re.NOFLAG)
    return re.compile(rf"(?:{label}){_IS}(?P<value>{value}){_END}", flags)


_EMPLOYEE = after(
    rf"(?:(?:社員|従業員|職員|スタッフ){_NO}(?:\s?(?:番号|[Nn]o\.?))?|社番)"
    rf"|(?<![a-z])(?:employee|emp|staff|personnel|badge|payroll)\.?{_NO}(?:\s?(?:number|no\.?))?"
    r"|(?<![a-z])I(?:'m| am) (?:employee|staff)",
    r"(?=[A-Z-]{0,6}\d)(?=[A-Z-]{0,6}(?:[A-Z-]{0,2}\d){3})[A-Z]{0,5}-?\d[\d-]{0,30}[A-Z]{0,3}",
)
_ACCOUNT = r"(?<![a-z])(?:bank )?(?:account|acct)\.?(?: ?(?:number|no\.?|#|num\.?)|(?=:| \d{6}))|(?<![a-z])bank account"
_BANK = after(
    rf"(?:口座|振込先)(?:{_NO}|の口座)?|(?:普通|当座|貯蓄)(?:預金|口座)?{_NO}?"
    rf"|{_ACCOUNT}|(?<![a-z])routing{_NO}?|(?<![a-z])(?:checking|savings)(?: account)?",
    rf"\d(?:{_NEXT}|[ ](?=\d\d-\d\d-\d\d)\d){{4,16}}(?!\s?[円年人件])",
)
_POSTAL_BANK = after(r"記号\s?(?:は|:)?\s?\d{5}\s?[-、,]?\s?(?:の)?番号", r"\d{5,9}")
_POSTAL_SYMBOL = after(r"(?:ゆうちょ|郵貯)(?:銀行)?[^\d\n]{0,12}記号", r"1\d{4}")
_SORT_CODE = after(r"(?<![a-z])sort(?: code)?", r"\d\d-?\d\d-?\d\d")
_IBAN = re.compile(rf"(?<![A-Za-z0-9])[A-Z]{{2}}\d\d(?:[ -]?[A-Z0-9]){{11,30}}{_END}")
_LABELLED_IBAN = after(r"(?<![a-z])IBAN", r"[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]){9,30}")
_PASSPORT = after(
    rf"(?:パスポート|旅券){_NO}?|(?<![a-z])passport{_NO}?",
    r"(?=[A-Z0-9]{0,3}\d{2})(?=[A-Z0-9]{0,9}\d{2}|[A-Z]\d)(?:[A-Z]{0,2}\d{6,9}[A-Z]?|[A-Z]\d{2}[A-Z]\d{2}[A-Z]\d{2}|[A-Z]\d{5,6}[A-Z0-9]{2})",
)
_LICENCE = after(
    rf"(?:運転)?免許(?:証)?(?:の)?{_NO}?|(?<![a-z])(?:driv(?:er|ing)(?:'?s)? licen[cs]e|DL){_NO}?",
    r"第?\d{12}号?|(?=[A-Z0-9-]{0,9}\d{3})[A-Z0-9](?:-?[A-Z0-9]){5,19}",
)
_PENSION = after(
    rf"(?:基礎)?年金(?:手帳)?(?:の)?{_NO}|(?:雇用保険|健康保険|介護保険|社会保険)?(?:の)?(?:被)?保険者(?:証)?(?:の)?(?:記号[・、/と]?)?{_NO}"
    rf"|雇用保険{_NO}"
    rf"|健康保険(?:の)?記号{_NO}?|(?:健康)?保険証(?:の)?(?:記号{_NO}?|{_NO})|(?<![a-z])(?:health )?insurance{_NO}"
    r"|(?<![a-z])(?:policy|member(?:ship)?) (?:number|no\.?|id)",
    r"(?=[A-Z0-9-]{0,6}\d)(?=[A-Z0-9]{1,4}-?[A-Z0-9-]{3,})[A-Z0-9](?:-?[A-Z0-9]| (?=\d{4})\d){4,17}",
)
_SECOND_INSURANCE = after(r"保険(?:者)?(?:証)?(?:の)?記号[^\n、。]{1,24}\s?[、,]?\s?番号", r"\d{1,9}")
_RESIDENCE = re.compile(rf"(?<![A-Za-z0-9])[A-Z]{{2}}\d{{8}}[A-Z]{{2}}{_END}")
_NINO = re.compile(rf"(?<![A-Za-z0-9])[A-CEGHJ-PR-TW-Z][A-NP-TW-Z](?: ?\d\d){{3}} ?[A-D]{_END}")
_LABELLED_NINO = after(rf"(?<![a-z])(?:NI|national insurance|NINO){_NO}?", r"[A-Z]{2}(?: ?\d\d){3} ?[A-D]")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9[01]\d-0|[7-9]\d\d-\d\d-\d{5})\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")
_LABELLED_SSN = after(rf"(?<![a-z])(?:SSN|SS(?=#| no)|social(?: security)?){_NO}?", r"\d{3}[ -]?\d\d[ -]?\d{4}")
_MY_NUMBER = after(
    rf"マイナンバー(?:カード)?(?:の{_NO})?|個人{_NO}|(?<![a-z])mynumber|(?<![a-z])individual number",
    rf"(?!0[5-9]0)\d{_NEXT}{{10,12}}{_NO_MORE}",
)
_FAR_MY_NUMBER = re.compile(
    r"(?:マイナンバー|個人番号)[^\d\n]{1,20}(?<![A-Za-z+-])(?!0[5-9]0)"
    rf"(?P<value>\d{_NEXT}{{11}})(?![A-Za-z]|[ -]?\d|\s?円)"
)
"""A number of this length near the word is one, also where a sentence comes between them."""
_SPOKEN_MY_NUMBER = after(r"(?<![a-z])my number", rf"[1-9]{_NEXT}{{11}}{_NO_MORE}")
_CARD = after(rf"(?:クレジット)?カード{_NO}|(?<![a-z])card(?: ?(?:number|no\.?|#))", rf"\d(?:{_NEXT}|[_.]\d){{11,18}}")
_NUMERAL = r"(?:\d{1,2}|[元〇一二三四五六七八九十]{1,3})"
_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_BIRTH_DATE = (
    rf"(?:(?:19|20)\d\d\s?[-/.年]\s?{_NUMERAL}\s?[-/.月]\s?{_NUMERAL}\s?日?"
    rf"|(?:明治|大正|昭和|平成|令和|[MTSHR])\s?{_NUMERAL}\s?[年./-]\s?{_NUMERAL}\s?[月./-]\s?{_NUMERAL}\s?日?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d"
    rf"|{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTHS},? (?:19|20)\d\d"
    r"|(?:19|20)\d{6})"
)
_SHORT_BIRTH_DATE = (
    rf"(?:{_BIRTH_DATE}|'?\d\d[-/.年]\s?\d{{1,2}}[-/.月]\s?\d{{1,2}}日?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d\d"
    rf"|{_NUMERAL}月\s?{_NUMERAL}日|{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTHS})(?!\d)"
)
"""A date without its century or year, which only stands for a birth right behind a word that says so."""
_BORN = re.compile(
    r"(?:生年月日|誕生日|(?<![a-z])(?:was |am )?born(?: on)?(?: the)?"
    r"|(?<![a-z])(?:date of birth|d\.?o\.?b\.?|birth ?da(?:te|y)))"
    rf"{_IS}(?P<value>{_SHORT_BIRTH_DATE})",
    re.IGNORECASE,
)
_BORN_AFTER = re.compile(rf"(?<!\d)(?P<value>{_BIRTH_DATE})\s?(?:生まれ|生(?![日産]))", re.IGNORECASE)

_BANK_SIGNS = ("口座", "振込", "普通", "当座", "貯蓄", "account", "acct", "routing", "checking", "savings")
_BIRTH_SIGNS = ("生年月日", "誕生日", "born", "birth", "dob", "d.o", "do.b")
_EMPLOYEE_SIGNS = ("社員", "従業員", "職員", "スタッフ", "社番", "emp", "staff", "personnel", "badge", "payroll")


def ibans(folded: str) -> Iterator[Stretch]:
    """Return account numbers whose check digits are right (ISO 13616)."""
    for found in _IBAN.finditer(folded):
        groups = [group.end() for group in re.finditer(r"[A-Z0-9]+", found.group())]
        for end in reversed(groups):  # later words of the sentence may look like one more group
            plain = re.sub(r"[ -]", "", found.group()[:end])
            if len(plain) >= 15 and int("".join(str(int(ch, 36)) for ch in plain[4:] + plain[:4])) % 97 == 1:
                yield Stretch(found.start(), found.start() + end)
                break


LABELLED_MASKS = (
    Mask("[iban]", ibans, digits=2),
    Mask("[iban]", _behind(_LABELLED_IBAN), digits=2, signs=("iban",)),
    Mask("[my-number]", _behind(_MY_NUMBER), digits=11),
    Mask("[my-number]", matches(_FAR_MY_NUMBER, "value"), digits=12),
    Mask("[my-number]", _behind(_SPOKEN_MY_NUMBER), digits=12),
    Mask("[card]", _behind(_CARD), digits=12),
    Mask("[residence-card]", matches(_RESIDENCE), digits=8),
    Mask("[insurance-number]", matches(_NINO), digits=6),
    Mask("[insurance-number]", _behind(_LABELLED_NINO), digits=6),
    Mask("[ssn]", matches(_SSN), digits=9),
    Mask("[ssn]", _behind(_LABELLED_SSN), digits=9),
    Mask("[passport]", _behind(_PASSPORT), digits=6),
    Mask("[licence]", _behind(_LICENCE), digits=3, signs=("免許", "licen", "dl")),
    Mask("[insurance-number]", _behind(_PENSION), digits=1, signs=("年金", "保険", "insurance", "policy", "member")),
    Mask("[insurance-number]", _behind(_SECOND_INSURANCE), digits=1, signs=("保険",)),
    Mask("[birth-date]", matches(_BORN, "value"), signs=_BIRTH_SIGNS),
    Mask("[birth-date]", matches(_BORN_AFTER, "value"), signs=("生",)),
)
NUMBERED_MASKS = (
    Mask("[bank-account]", _behind(_SORT_CODE), digits=6),
    Mask("[bank-account]", _behind(_POSTAL_BANK), digits=10),
    Mask("[bank-account]", _behind(_POSTAL_SYMBOL), digits=5, signs=("記号",)),
    Mask("[bank-account]", _behind(_BANK), digits=5, signs=_BANK_SIGNS),
    Mask("[employee-number]", _behind(_EMPLOYEE), digits=3, signs=_EMPLOYEE_SIGNS),
)
"""Kinds whose values may look like a telephone number, which comes before them."""
