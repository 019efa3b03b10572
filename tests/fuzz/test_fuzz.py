"""A short run of the fuzzer; `python -m tests.fuzz --minutes 10` is the long one."""

import pytest

from tests.fuzz.running import fuzz
from tests.fuzz.targets import TARGETS


@pytest.mark.program
@pytest.mark.parametrize("target", TARGETS)
def test_no_changed_payload_causes_an_error(target: str) -> None:
    assert fuzz(TARGETS[target](), examples=25) >= 25
