"""What every command that opens the bot finds."""

from pathlib import Path

from bot.app.wiring import open_core
from bot.practice import STAFF_GROUP_ID
from bot.settings import Settings


async def test_commands_beside_practice_keep_the_sample_owners(tmp_path: Path) -> None:
    """`import` and `export` open the same database as the running practice workspace."""
    settings = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/one.db", bot_language="en")
    for _ in range(2):
        async with open_core(settings) as core:
            prompt = await core.acts.prompting.current()
            assert {category.owner for category in prompt.categories} == {STAFF_GROUP_ID}
