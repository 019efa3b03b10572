"""HTTP mode: events, interactions and commands as signed requests to the app's request URL."""

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
    """Delivery by signed requests to the app's request URL. `url` is empty until `verify` succeeds."""

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
        """Send the challenge to this URL, and use the URL from now on if the challenge comes back.

        Raises:
            NotAckedError: Nothing answers at the URL, or the answer does not repeat the challenge.
        """
        challenge = secrets.token_hex(16)
        response = await self._post(url, json.dumps({"type": "url_verification", "challenge": challenge}), _JSON)
        if challenge not in response.text:
            raise NotAckedError("challenge_failed")
        self.url = url
        self.on_change()

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        """Send one request and return the body of the response: its JSON, its text as `{"text": …}`, or None if empty.

        Raises:
            NotAckedError: The app cannot be reached, its status is not 200, or it took longer than `Timing.ack`.
        """
        if kind == "events_api":
            body, content_type = json.dumps(payload), _JSON
        else:
            form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, content_type = urlencode(form), _FORM
        attempt = extra.get("retry_attempt")
        retry_headers = (
            {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": str(extra["retry_reason"])} if attempt else {}
        )
        response = await self._post(self.url, body, content_type, retry_headers)
        if not response.content:
            return None
        is_json = response.headers.get("content-type", "").startswith(_JSON)
        return dict(response.json()) if is_json else {"text": response.text}

    async def _post(
        self, url: str, body: str, content_type: str, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        signed = self.signed(body) | (headers or {}) | {"content-type": content_type}
        try:
            async with asyncio.timeout(self.timing.ack):
                response = await self._http.post(url, content=body.encode(), headers=signed)
        except TimeoutError:
            raise NotAckedError("http_timeout") from None
        except httpx2.HTTPError:
            raise NotAckedError("connection_failed") from None
        if response.status_code != 200:
            raise NotAckedError("http_error", final=response.headers.get("x-slack-no-retry") == "1")
        return response

    def signed(self, body: str, age: float = 0) -> dict[str, str]:
        """Return the headers that sign a body with the signing secret.

        Args:
            body: The request body.
            age: How many seconds before now the timestamp lies.
        """
        timestamp = str(int(self._clock() - age))
        digest = hmac.new(self.signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        return {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={digest}"}

    async def aclose(self) -> None:
        await super().aclose()
        await self._http.aclose()
