"""HTTP mode: events, interactions and commands as signed requests to the address that the app has given."""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from urllib.parse import urlencode

import httpx2

from bot.practice.delivery import Delivery, NotAckedError, Timing
from bot.practice.person import loopback
from bot.practice.wire import Json

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"


class HttpMode(Delivery):
    """The app behind its request URL, once `verify` has found it there."""

    def __init__(self, timing: Timing, clock: Callable[[], float]) -> None:
        super().__init__(timing)
        self.signing_secret = secrets.token_hex(16)
        self.url = ""
        self._clock = clock
        self._http = loopback()

    @property
    def connected(self) -> int:
        return bool(self.url)

    async def verify(self, url: str) -> None:
        """Use this address from now on; raise `NotAckedError` where nobody there repeats the challenge."""
        challenge = secrets.token_hex(16)
        answer = await self._post(url, json.dumps({"type": "url_verification", "challenge": challenge}), _JSON)
        if challenge not in answer.text:
            raise NotAckedError("challenge_failed")
        self.url = url
        self.on_change()

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        """Send one request and return what its answer holds.

        Raises:
            NotAckedError: nobody is there, the answer is no 200, or `Timing.ack` went by.
        """
        if kind == "events_api":
            body, content_type = json.dumps(payload), _JSON
        else:
            form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, content_type = urlencode(form), _FORM
        again = extra.get("retry_attempt")
        told = {"x-slack-retry-num": str(again), "x-slack-retry-reason": str(extra["retry_reason"])} if again else {}
        answer = await self._post(self.url, body, content_type, told)
        if not answer.content:
            return None
        is_json = answer.headers.get("content-type", "").startswith(_JSON)
        return dict(answer.json()) if is_json else {"text": answer.text}

    async def _post(
        self, url: str, body: str, content_type: str, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        signed = self.signed(body) | (headers or {}) | {"content-type": content_type}
        try:
            async with asyncio.timeout(self.timing.ack):
                answer = await self._http.post(url, content=body.encode(), headers=signed)
        except TimeoutError:
            raise NotAckedError("http_timeout") from None
        except httpx2.HTTPError:
            raise NotAckedError("connection_failed") from None
        if answer.status_code != 200:
            raise NotAckedError("http_error", final=answer.headers.get("x-slack-no-retry") == "1")
        return answer

    def signed(self, body: str, age: float = 0) -> dict[str, str]:
        """Return the headers that prove a body to be ours, as of so many seconds ago."""
        timestamp = str(int(self._clock() - age))
        digest = hmac.new(self.signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        return {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={digest}"}

    async def aclose(self) -> None:
        await super().aclose()
        await self._http.aclose()
