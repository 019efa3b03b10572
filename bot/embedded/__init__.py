"""An OpenAI-compatible server whose text classifier can be fine-tuned.

Before any training the model knows only what the prompt says.

    async with LocalModel(FolderShelf(folder)) as model:
        transport = httpx2.ASGITransport(app=model.app)
        http = httpx2.AsyncClient(transport=transport)
        client = AsyncOpenAI(api_key="any", base_url="http://local/v1", http_client=http)

This package imports nothing from the rest of the project.
"""

from bot.embedded.encoders import Encoder, Vectors
from bot.embedded.fetched import EncoderUnavailable, FetchedEncoder
from bot.embedded.server import LocalModel
from bot.embedded.shelf import ArtifactShelf, FolderShelf

__all__ = [
    "ArtifactShelf",
    "Encoder",
    "EncoderUnavailable",
    "FetchedEncoder",
    "FolderShelf",
    "LocalModel",
    "Vectors",
]
