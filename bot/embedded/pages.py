"""Lists in pages, and bodies read, as OpenAI's API does."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from bot.embedded.errors import RequestRefused


def limit_in(request: Request, default: int, most: int) -> int:
    """Return the query's `limit`. Raises Refused unless it is 1 to `most`."""
    given = request.query_params.get("limit", str(default))
    if not given.isdecimal() or not 1 <= int(given) <= most:
        raise RequestRefused(f"'limit' must be a whole number from 1 to {most}", param="limit")
    return int(given)


def page(found: Sequence[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
    """Return `limit` objects after the one with the id `after`. Raises Refused if that one is not in the list."""
    start = 0
    if after:
        ids = [one["id"] for one in found]
        if after not in ids:
            raise RequestRefused(f"No object found with id '{after}'", param="after")
        start = ids.index(after) + 1
    data = list(found[start : start + limit])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + limit < len(found),
    }


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent. Raises Refused for anything else."""
    try:
        value = json.loads(await request.body())
    except ValueError:
        raise RequestRefused(
            "We could not parse the JSON body of your request. Send valid JSON with Content-Type: application/json."
        ) from None
    if not isinstance(value, dict):
        raise RequestRefused("The body of the request must be a JSON object.")
    return value


def text_in(body: dict[str, Any], name: str) -> str:
    """Return a required string. Raises Refused if it is missing, empty or no string."""
    value = body.get(name)
    if value is None:
        raise RequestRefused(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    if not isinstance(value, str) or not value:
        raise RequestRefused(f"Invalid type for '{name}': expected a string.", param=name, code="invalid_type")
    return value
