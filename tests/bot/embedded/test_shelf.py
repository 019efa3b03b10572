"""The shelf in a folder."""

from pathlib import Path

import pytest

from bot.embedded import FolderShelf


async def test_written_bytes_are_visible_to_second_shelf(tmp_path: Path) -> None:
    one, other = FolderShelf(tmp_path / "new"), FolderShelf(tmp_path / "new")
    assert await other.names("") == []
    await one.put("a/b.json", b"1")
    await one.put("a/b.json", b"2")
    await one.put("ab", b"3")
    assert await other.get("a/b.json") == b"2"
    assert await other.names("a") == ["a/b.json", "ab"]
    assert await other.names("a/") == ["a/b.json"]
    assert [path.name for path in (tmp_path / "new" / "a").iterdir()] == ["b.json"]
    rights = [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/a", "new/a/b.json")]
    assert rights == [0o700, 0o700, 0o600], "nobody else may read or replace a model"


async def test_start_deletes_what_a_killed_write_left(tmp_path: Path) -> None:
    await FolderShelf(tmp_path).put("files/a.zz", b"1")
    left = tmp_path / "files" / ".writing-abc"
    left.write_bytes(b"half of a training file")
    assert await FolderShelf(tmp_path).names("") == ["files/a.zz"]
    assert not left.exists()


async def test_get_raises_and_delete_returns_false_when_missing(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    with pytest.raises(KeyError):
        await shelf.get("gone")
    await shelf.put("x", b"")
    assert [await shelf.delete("x"), await shelf.delete("x")] == [True, False]


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../b", "", ".hidden", "a/", "有給", "a\n"])
async def test_name_outside_folder_is_refused(tmp_path: Path, name: str) -> None:
    shelf = FolderShelf(tmp_path / "inner")
    with pytest.raises(ValueError, match="Invalid shelf name"):
        await shelf.put(name, b"x")
    with pytest.raises(ValueError, match="Invalid shelf name"):
        await shelf.get(name)
