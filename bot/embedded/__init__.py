"""An OpenAI-compatible server that really learns: before any training it knows only what the prompt says.

    async with LocalModel(FolderShelf(folder)) as model:
        transport = httpx2.ASGITransport(app=model.app)
        http = httpx2.AsyncClient(transport=transport)
        client = AsyncOpenAI(api_key="any", base_url="http://local/v1", http_client=http)

The package imports nothing of the project but itself.
"""

from bot.embedded.server import LocalModel
from bot.embedded.shelf import ArtifactShelf, FolderShelf

__all__ = ["ArtifactShelf", "FolderShelf", "LocalModel"]
