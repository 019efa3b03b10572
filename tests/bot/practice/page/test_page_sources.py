"""Rules for the source files of the page."""

import re
from pathlib import Path

import pytest

from tests.bot.practice.page.page_stub import PAGE


@pytest.mark.parametrize("source", sorted(PAGE.glob("*.*")), ids=lambda path: str(path.name))
def test_sources_contain_no_markup_and_no_external_requests(source: Path) -> None:
    text = source.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert re.findall(r"(?:src|href|url)\s*[=(:]\s*[\"']?https?:", text) == []
    assert "<script>" not in text
    assert len(text.splitlines()) <= 300


def test_every_text_key_exists_and_is_used() -> None:
    known = set(
        re.findall(r"^    (\w+):", (PAGE / "words.js").read_text("utf-8").partition("  ja: {")[0], re.MULTILINE)
    )
    used = {key for path in PAGE.glob("*.js") for key in re.findall(r"\bt\(\"(\w+)\"", path.read_text("utf-8"))}
    assert used - known == set()
    assert {
        key for key in known - used if not key.startswith(("error_", "role_", "tour_step_", "tour_ask_", "tour_again_"))
    } == set()
