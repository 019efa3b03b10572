"""`/v1/files`: uploaded files and the result files of jobs."""

import asyncio
import json
import secrets
import zlib
from collections.abc import Callable
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.embedded.errors import RequestRefused
from bot.embedded.pages import LONGEST_NUMBER, paginate, parse_limit
from bot.embedded.shelf import ArtifactShelf

_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_MAX_BYTES = 512 * 2**20
_PIECE_BYTES = 2**20
_EXPIRY_RANGE = (3600, 2_592_000)  # seconds


class Files:
    """Files on the shelf in OpenAI's format; an expired file is deleted on its next lookup."""

    def __init__(self, shelf: ArtifactShelf, clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._clock = clock
        self.routes = [
            Route("/v1/files", self._create, methods=["POST"]),
            Route("/v1/files", self._list, methods=["GET"]),
            Route("/v1/files/{id}", self._get, methods=["GET"]),
            Route("/v1/files/{id}", self._delete, methods=["DELETE"]),
            Route("/v1/files/{id}/content", self._content, methods=["GET"]),
        ]

    async def add(
        self, filename: str, data: bytes, purpose: str, *, expires_in: int | None = None, file_id: str = ""
    ) -> dict[str, Any]:
        """Store a file and return its file object.

        `expires_in` is in seconds. `file_id` replaces the random id, so that a resumed job overwrites its result file.
        """
        packed = await asyncio.to_thread(zlib.compress, data, 1)
        return await self._add(filename, packed, len(data), purpose, expires_in, file_id)

    async def _add(
        self, filename: str, packed: bytes, size: int, purpose: str, expires_in: int | None, file_id: str = ""
    ) -> dict[str, Any]:
        created_at = int(self._clock())
        record: dict[str, Any] = {
            "id": file_id or f"file-{secrets.token_hex(12)}",
            "object": "file",
            "bytes": size,
            "created_at": created_at,
            "expires_at": created_at + expires_in if expires_in else None,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
            "status_details": None,
        }
        await self._shelf.put(f"files/{record['id']}.zz", packed)
        await self._shelf.put(f"files/{record['id']}.json", json.dumps(record, ensure_ascii=False).encode())
        return record

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the file object, or None if the file is missing or expired."""
        try:
            record: dict[str, Any] = json.loads(await self._shelf.get(f"files/{name}.json"))
        except (KeyError, ValueError):
            return None
        if record["expires_at"] and record["expires_at"] <= self._clock():
            await self._remove(name)
            return None
        return record

    async def data(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            KeyError: No file has this id.
        """
        try:
            return await asyncio.to_thread(zlib.decompress, await self._shelf.get(f"files/{name}.zz"))
        except KeyError:
            return await self._shelf.get(f"files/{name}.bin")  # by an earlier version, which did not compress

    async def _remove(self, name: str) -> None:
        await self._shelf.delete(f"files/{name}.json")
        await self._shelf.delete(f"files/{name}.zz")
        await self._shelf.delete(f"files/{name}.bin")

    async def _require_file(self, request: Request) -> dict[str, Any]:
        name = request.path_params["id"]
        record = await self.find(name)
        if record is None:
            raise RequestRefused(f"No such File object: {name}", status=404, param="id")
        return record

    async def _create(self, request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise RequestRefused(
                "Send the file as multipart/form-data with the parts 'file' and 'purpose'.", param="file"
            )
        async with request.form() as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise RequestRefused("'file' is a required property", param="file")
            purpose = form.get("purpose")
            if purpose not in _PURPOSES:
                raise RequestRefused(f"'purpose' must be one of {', '.join(_PURPOSES)}", param="purpose")
            expires_in = _expiry_seconds(form)
            packed, size = await _packed(file)
        if not 0 < size <= _MAX_BYTES:
            raise RequestRefused("A file must hold 1 byte to 512 MB.", status=413 if size else 400, param="file")
        return JSONResponse(await self._add(file.filename or "upload", packed, size, str(purpose), expires_in))

    async def _list(self, request: Request) -> Response:
        names = [name for name in await self._shelf.names("files/") if name.endswith(".json")]
        found = [record for name in names if (record := await self.find(name[len("files/") : -len(".json")]))]
        if purpose := request.query_params.get("purpose"):
            found = [record for record in found if record["purpose"] == purpose]
        newest_first = request.query_params.get("order", "desc") != "asc"
        found.sort(key=lambda record: (record["created_at"], record["id"]), reverse=newest_first)
        return JSONResponse(paginate(found, request.query_params.get("after"), parse_limit(request, 10_000, 10_000)))

    async def _get(self, request: Request) -> Response:
        return JSONResponse(await self._require_file(request))

    async def _content(self, request: Request) -> Response:
        record = await self._require_file(request)
        return Response(await self.data(record["id"]), media_type="application/octet-stream")

    async def _delete(self, request: Request) -> Response:
        record = await self._require_file(request)
        await self._remove(record["id"])
        return JSONResponse({"id": record["id"], "object": "file", "deleted": True})


async def _packed(file: UploadFile) -> tuple[bytes, int]:
    """Compress a file piece by piece, and return it with its size. A training file takes a twentieth of its size."""
    packing, packed, size = zlib.compressobj(level=1), bytearray(), 0
    while piece := await file.read(_PIECE_BYTES):
        packed += await asyncio.to_thread(packing.compress, piece)
        size += len(piece)
    return bytes(packed + packing.flush()), size


def _expiry_seconds(form: FormData) -> int | None:
    seconds = form.get("expires_after[seconds]")
    if seconds is None:
        return None
    if form.get("expires_after[anchor]") != "created_at":
        raise RequestRefused("'expires_after[anchor]' must be 'created_at'", param="expires_after[anchor]")
    least, most = _EXPIRY_RANGE
    if not str(seconds).isdecimal() or len(str(seconds)) > LONGEST_NUMBER or not least <= int(str(seconds)) <= most:
        raise RequestRefused(f"'expires_after[seconds]' must be {least} to {most}", param="expires_after[seconds]")
    return int(str(seconds))
