"""The masking of personal data in Japanese and English; other text is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.masking import masked

FULL_WIDTH = str.maketrans("0123456789-+", "0123456789－＋")
AROUND = [
    ("", ""),
    ("私の番号は", "です。有給は何日ありますか？"),
    ("マイナンバー：", "（本人）"),
    ("My number is ", ", what now?"),
    ("2026-11-22 ", " 10:30"),
    ("2026-03-04 ", " 2026-03-05"),
    ("2026年11月22日", "に届け出ました"),
    ("申請 12 件、", "と 3 件"),
    ("TEL.", " 内線 123"),
    ("<", ">"),
]
WRITTEN = """
    090-1234-5678|09012345678|03-1234-5678|03)1234-5678|03(1234)5678|0120-123-456|090 1234 5678|0466-12-3456|
    +81-90-1234-5678|+81 90 1234 5678|+819012345678|+1 (415) 555-2671|０９０－１２３４－５６７８|090ー1234ー5678
"""
PHONES = [phone.strip() for phone in WRITTEN.split("|")]
surroundings = st.sampled_from(AROUND)
digits = st.text("0123456789", min_size=11, max_size=11)


def with_check_digit(eleven: str) -> str:
    """Return a My Number from 11 digits, by the definition: Q is n+1 up to the sixth digit from the right."""
    q = [n + 1 if n <= 6 else n - 5 for n in range(1, 12)]
    rest = sum(p * w for p, w in zip(map(int, reversed(eleven)), q, strict=True)) % 11
    return eleven + str(0 if rest <= 1 else 11 - rest)


def luhn(fifteen: str) -> str:
    """Return a card number of 16 digits with a valid Luhn digit."""
    total = sum(sum(map(int, str(int(d) * (1 + (n % 2 == 0))))) for n, d in enumerate(fifteen))
    return fifteen + str(-total % 10)


@st.composite
def number_as_written(draw: st.DrawFn, number: str, size: int) -> str:
    """Return a number as people write it: grouped or not, full width or not."""
    separator = draw(st.sampled_from(["", "-", " ", "－"]))
    grouped = separator.join(number[start : start + size] for start in range(0, len(number), size))
    return grouped.translate(FULL_WIDTH) if draw(st.booleans()) else grouped


@given(eleven=digits, around=surroundings, data=st.data())
def test_my_number_is_masked(eleven: str, around: tuple[str, str], data: st.DataObject) -> None:
    number = data.draw(number_as_written(with_check_digit(eleven), 4))
    before, after = around
    assert masked(before + number + after) == f"{before}[my-number]{after}"


def test_date_beside_a_number_is_kept() -> None:
    """Together with the year of the next date, this My Number would look like a card number."""
    assert masked("2026-03-04 023001011103 2026-03-05") == "2026-03-04 [my-number] 2026-03-05"
    assert masked("+1 (415) 555-2671 2026.03.05") == "[phone] 2026.03.05"


@given(fifteen=st.text("0123456789", min_size=15, max_size=15), around=surroundings, data=st.data())
def test_card_number_is_masked(fifteen: str, around: tuple[str, str], data: st.DataObject) -> None:
    number = data.draw(number_as_written(luhn("4" + fifteen[1:]), 4))
    before, after = around
    assert masked(before + number + after) == f"{before}[card]{after}"


@pytest.mark.parametrize(
    "phone",
    PHONES,
)
@pytest.mark.parametrize("around", AROUND)
def test_phone_number_is_masked(phone: str, around: tuple[str, str]) -> None:
    before, after = around
    hidden = masked(before + phone + after)
    assert "[phone]" in hidden
    assert not any(part in hidden for part in ("1234-", "5678", "3456", "2671", "５６７８"))
    assert hidden.startswith(before)


mails = st.from_regex(r"[a-z][a-z0-9._%+-]{0,12}@([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.){1,3}[a-z]{2,6}", fullmatch=True)


@given(
    mail=mails,
    around=st.sampled_from([("メールは", "です。有給は？"), ("my mail is ", "."), ("<mailto:", ">"), ("（", "）")]),
)
def test_mail_address_is_masked_without_its_surroundings(mail: str, around: tuple[str, str]) -> None:
    before, after = around
    assert masked(before + mail + after) == f"{before}[mail]{after}"


def test_mail_address_in_other_scripts_is_masked() -> None:
    assert masked("write to josé@example.com or ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍ") == "write to [mail] or [mail]"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("社員番号は12345です", "社員番号は[employee-number]です"),
        ("社員番号：A-00123 の給与", "社員番号：[employee-number] の給与"),
        ("従業員番号 123456", "従業員番号 [employee-number]"),
        ("my employee number is 4711-22.", "my employee number is [employee-number]."),
        ("Employee ID: EMP123456789012", "Employee ID: [employee-number]"),
        ("社員番号123 0901234567", "社員番号[employee-number] [phone]"),
    ],
)
def test_employee_number_is_masked(text: str, hidden: str) -> None:
    assert masked(text) == hidden


dates = (
    st.dates().map(str) | st.dates().map(lambda d: d.strftime("%Y年%m月%d日")) | st.dates().map("{:%d.%m.%Y}".format)
)
sums = st.integers(0, 10**12).map("{:,}円".format) | st.integers(0, 10**8).map("${}".format)
times = st.times().map("{:%H:%M}".format)
plain = st.integers(0, 99_999_999).map(str) | st.sampled_from(["第3条", "36協定", "0.5日", "INV-2026001122", "v1.2.3"])
harmless = st.lists(dates | sums | times | plain, min_size=1, max_size=4)


@given(harmless, st.sampled_from(["、", " から ", " to ", ", "]))
def test_dates_sums_and_ordinary_numbers_are_kept(parts: list[str], between: str) -> None:
    text = between.join(parts)
    assert masked(text) == text


def test_range_of_dates_is_kept() -> None:
    text = "2026-01-05 2026-01-06 の出張、0.1234567890 の割合、注文 123456789 を 3 つ"
    assert masked(text) == text


pieces = st.lists(
    st.sampled_from(
        ["090", "1234", "5678", "+", "-", " ", "a@b", ".co", "社員番号", "[phone]", "employee id", "は", "０"]
    )
    | st.text(max_size=4),
    max_size=14,
).map("".join)


@given(pieces)
def test_masked_is_idempotent(text: str) -> None:
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    "text", ["x" * 300_000, "a." * 150_000, "1" * 100_000, "x@" + "a" * 300_000, "社員番号" + " " * 100_000]
)
def test_very_long_text_takes_linear_time(text: str) -> None:
    """A pasted blob takes a moment; with quadratic cost it would block the bot for hours."""
    assert masked(text) == text
