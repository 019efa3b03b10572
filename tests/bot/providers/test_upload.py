"""A training file that is unpacked as it is sent."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.providers.upload import Upload


@given(
    st.lists(st.binary(max_size=300).filter(lambda line: b"\n" not in line), max_size=40),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.integers(1, 200),
)
def test_any_lines_are_read_whole_again_and_again(lines: list[bytes], mark: bytes, piece: int) -> None:
    whole = mark + b"".join(line + b"\n" for line in lines)
    upload = Upload(lines, mark)
    assert upload.seek(0, os.SEEK_END) == len(whole)
    for _ in range(2):
        upload.seek(0)
        assert b"".join(iter(lambda: upload.read(piece) or b"", b"")) == whole
        assert upload.tell() == len(whole)
        assert upload.read(piece) == b""
    upload.seek(0)
    assert upload.read(piece) == whole[:piece]
    upload.seek(0)
    assert upload.readall() == whole


def test_upload_is_read_in_order_only() -> None:
    upload = Upload([b"first", b"second"])
    assert upload.read(5) == b"first"
    upload.seek(2, os.SEEK_CUR)
    with pytest.raises(io.UnsupportedOperation, match="beginning"):
        upload.read(1)
