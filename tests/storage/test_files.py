import pytest
from sqlalchemy import update

from bot.ports import Shelf
from storage.database import Database
from storage.files import DamagedFile, DatabaseShelf
from storage.tables import files


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return DatabaseShelf(database)


@pytest.mark.parametrize("data", [b"", b"\x00\xff'\\", bytes(range(256)) * 8192])
async def test_file_is_read_as_written(shelf: Shelf, data: bytes) -> None:
    await shelf.put("datasets/d1.jsonl", b"older")
    await shelf.put("datasets/d1.jsonl", data)
    assert await shelf.get("datasets/d1.jsonl") == data


async def test_unknown_file_raises_key_error(shelf: Shelf) -> None:
    with pytest.raises(KeyError, match=r"datasets/d1\.jsonl"):
        await shelf.get("datasets/d1.jsonl")


async def test_deleted_file_is_gone(shelf: Shelf) -> None:
    await shelf.put("a", b"1")
    assert await shelf.delete("a")
    assert not await shelf.delete("a")
    with pytest.raises(KeyError):
        await shelf.get("a")


async def test_names_are_sorted_and_prefixes_are_literal(shelf: Shelf) -> None:
    for name in ("m/b", "m/a", "M/a", "m_x", "mxx", "m%", "n", "業/1"):
        await shelf.put(name, b"")
    assert await shelf.names("m/") == ["m/a", "m/b"]
    assert await shelf.names("m_") == ["m_x"]
    assert await shelf.names("m%") == ["m%"]
    assert await shelf.names("業") == ["業/1"]
    assert await shelf.names("") == sorted(["m/b", "m/a", "M/a", "m_x", "mxx", "m%", "n", "業/1"])


async def test_damaged_file_is_not_returned(shelf: Shelf, database: Database) -> None:
    await shelf.put("models/f1", b"weights")
    async with database.begin() as connection:
        await connection.execute(update(files).values(data=b"wEights"))
    with pytest.raises(DamagedFile, match="models/f1"):
        await shelf.get("models/f1")
