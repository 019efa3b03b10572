"""Pagination and request parsing in the way of OpenAI's API."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from bot.embedded.errors import RequestRefused
from bot.embedded.json_text import parse_json

LONGEST_NUMBER = 9
"""Most digits of a number in a query."""


def parse_limit(request: Request, default: int, maximum: int) -> int:
    """Return the query parameter `limit`.

    Raises:
        RequestRefused: `limit` is not a whole number from 1 to `maximum`.
    """
    given = request.query_params.get("limit", str(default))
    if not given.isdecimal() or len(given) > LONGEST_NUMBER or not 1 <= int(given) <= maximum:
        raise RequestRefused(f"'limit' must be a whole number from 1 to {maximum}", param="limit")
    return int(given)


def paginate(objects: Sequence[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
    """Return a page of at most `limit` objects, starting after the object with the id `after`.

    Raises:
        RequestRefused: No object has the id `after`.
    """
    start = 0
    if after:
        ids = [entry["id"] for entry in objects]
        if after not in ids:
            raise RequestRefused(f"No object found with id '{after}'", param="after")
        start = ids.index(after) + 1
    data = list(objects[start : start + limit])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + limit < len(objects),
    }


async def parse_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body of the request.

    Raises:
        RequestRefused: The body is not a JSON object.
    """
    try:
        value = parse_json(await request.body())
    except ValueError as error:
        why = "" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else f" The reason: {error}."
        raise RequestRefused(
            "We could not parse the JSON body of your request. Send valid JSON with Content-Type: application/json."
            + why
        ) from None
    if not isinstance(value, dict):
        raise RequestRefused("The body of the request must be a JSON object.")
    return value


def require_text(body: dict[str, Any], name: str) -> str:
    """Return the required string `name` of the body.

    Raises:
        RequestRefused: The value is missing, empty or not a string.
    """
    value = body.get(name)
    if value is None:
        raise RequestRefused(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    if not isinstance(value, str) or not value:
        raise RequestRefused(f"Invalid type for '{name}': expected a string.", param=name, code="invalid_type")
    return value
