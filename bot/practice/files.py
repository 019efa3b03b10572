"""Uploaded files. An upload has three steps: get a URL, send the bytes, complete."""

import mimetypes
import secrets
from collections.abc import Callable, Iterator
from pathlib import PurePath

from bot.practice.people import TEAM_ID
from bot.practice.wire import Json, SlackError, new_id


class Uploads:
    """The store of uploaded files by id. An upload URL accepts exactly the announced number of bytes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tickets: dict[str, str] = {}
        self._files: dict[str, tuple[Json, bytes | None]] = {}
        self._deleted: set[str] = set()

    def announce(self, name: str, length: int, user_id: str, base_url: str, alt: str = "") -> tuple[str, str]:
        """Register a file of `length` bytes; return its id and the path of its upload URL."""
        file_id, ticket = new_id("F"), secrets.token_urlsafe(24)
        now = int(self._clock())
        suffix = PurePath(name).suffix.lstrip(".").lower()
        private = f"{base_url}files-pri/{TEAM_ID}-{file_id}/"
        file = {
            "id": file_id,
            "created": now,
            "timestamp": now,
            "name": name,
            "title": name,
            **({"alt_txt": alt} if alt else {}),
            "mimetype": mimetypes.guess_type(name)[0] or "application/octet-stream",
            "filetype": suffix or "binary",
            "pretty_type": suffix.upper() or "Binary",
            "user": user_id,
            "user_team": TEAM_ID,
            "editable": False,
            "size": length,
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": False,
            "public_url_shared": False,
            "display_as_bot": False,
            "username": "",
            "url_private": f"{private}{name}",
            "url_private_download": f"{private}download/{name}",
            "permalink": f"{base_url}files/{user_id}/{file_id}/{name}",
            "channels": [],
            "groups": [],
            "ims": [],
        }
        self._files[file_id] = (file, None)
        self._tickets[ticket] = file_id
        return file_id, f"upload/v1/{ticket}"

    def receive(self, ticket: str, content: bytes) -> int:
        """Store the bytes of an upload and return their number.

        Raises:
            SlackError: `file_not_found` or `upload_size_mismatch`.
        """
        file, _ = self._files[self._tickets[ticket]] if ticket in self._tickets else ({}, None)
        if not file:
            raise SlackError("file_not_found")
        if len(content) != file["size"]:
            raise SlackError("upload_size_mismatch")
        del self._tickets[ticket]
        self._files[file["id"]] = (file, content)
        return len(content)

    def get(self, file_id: str) -> Json:
        """Return Slack's file object.

        Raises:
            SlackError: `file_not_found`, also while the bytes have not arrived.
        """
        file, content = self._files.get(file_id, ({}, None))
        if content is None:
            raise SlackError("file_not_found")
        return file

    def delete(self, file_id: str, user_id: str) -> None:
        """Delete a user's file.

        Raises:
            SlackError: `file_not_found`, `file_deleted`; `cant_delete_file` for somebody else's file.
        """
        if file_id in self._deleted:
            raise SlackError("file_deleted")
        if self.get(file_id)["user"] != user_id:
            raise SlackError("cant_delete_file")
        del self._files[file_id]
        self._deleted.add(file_id)

    def content(self, file_id: str) -> bytes:
        self.get(file_id)
        return self._files[file_id][1] or b""

    def completed(self) -> Iterator[tuple[Json, bytes]]:
        return ((file, content) for file, content in self._files.values() if content is not None)

    def restore(self, file: Json, content: bytes) -> None:
        self._files[file["id"]] = (file, content)
