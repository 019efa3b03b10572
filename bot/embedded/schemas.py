"""`response_format`: the fields of an answer in the schema's order, with the values this model can give them."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from bot.embedded.errors import RequestRefused

CATEGORY_NAMES = frozenset({"category", "label", "class", "choice", "分類", "カテゴリ", "カテゴリー"})
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Field:
    """One property of the answer: a category, a reason, a confidence or a fixed value.

    A category is one of `values`; if there are none, one of the labels that the model or the prompt names.
    """

    name: str
    kind: Literal["category", "reason", "confidence", "fixed"]
    values: tuple[str, ...] = ()
    value: object = None


_DEFAULT_FIELDS = (Field("reason", "reason"), Field("category", "category"))


def fields_of(response_format: object) -> tuple[Field, ...]:
    """Return the fields of the answer; plain text has none.

    Raises:
        RequestRefused: The format is malformed, breaks the rules of strict schemas, or asks for a type of value that
            this model can't give.
    """
    wanted = {"type": "text"} if response_format is None else response_format
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return ()
    if kind == "json_object":
        return _DEFAULT_FIELDS
    if not isinstance(wanted, dict) or kind != "json_schema":
        raise RequestRefused(
            "Invalid 'response_format.type': use 'text', 'json_object' or 'json_schema'.", param="response_format.type"
        )
    named = wanted.get("json_schema")
    if not isinstance(named, dict) or not _NAME.fullmatch(str(named.get("name", ""))):
        raise RequestRefused(
            "Missing or invalid 'response_format.json_schema.name': 1 to 64 letters, digits, '_' or '-'.",
            param="response_format.json_schema.name",
        )
    schema = named.get("schema")
    if not isinstance(schema, dict):
        raise RequestRefused(
            "Missing required parameter: 'response_format.json_schema.schema'.",
            param="response_format.json_schema.schema",
        )
    return _Schema(str(named["name"]), schema).fields(strict=bool(named.get("strict")))


class _Schema:
    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        self._name = name
        self._schema = schema

    def _invalid(self, at: str, words: str) -> RequestRefused:
        context = f"('properties', '{at}')" if at else "()"
        return RequestRefused(
            f"Invalid schema for response_format '{self._name}': In context={context}, {words}",
            param="response_format",
            code="invalid_json_schema",
        )

    def fields(self, *, strict: bool) -> tuple[Field, ...]:
        root = self._resolve("", self._schema)
        properties = root.get("properties")
        if root.get("type") != "object" or not isinstance(properties, dict) or not properties:
            raise self._invalid("", "schema must be of type 'object' and have properties.")
        if strict and root.get("additionalProperties") is not False:
            raise self._invalid("", "'additionalProperties' is required to be supplied and to be false.")
        if strict and not _names_all(root.get("required"), properties):
            raise self._invalid(
                "", "'required' is required to be supplied and to be an array including every key in properties."
            )
        return tuple(self._field(name, self._resolve(name, value)) for name, value in properties.items())

    def _resolve(self, at: str, part: object) -> dict[str, Any]:
        """Follow `$ref`, and reduce `anyOf`, `allOf` or a list of types to the only option that is not null."""
        for _ in range(8):
            if not isinstance(part, dict):
                break
            if "$ref" in part:
                part = self._look_up(at, str(part["$ref"]))
                continue
            options = part.get("anyOf") or part.get("allOf")
            if not isinstance(options, list):
                return _without_null(part)
            real = [option for option in options if not isinstance(option, dict) or option.get("type") != "null"]
            part = real[0] if len(real) == 1 else None
        raise self._invalid(at, "the schema can't be read: expected an object, one $ref, or one type beside null.")

    def _look_up(self, at: str, ref: str) -> object:
        found: object = self._schema
        for step in ref.removeprefix("#").strip("/").split("/"):
            found = found.get(step) if step and isinstance(found, dict) else None
        if found is None:
            raise self._invalid(at, f"reference '{ref}' can't be resolved.")
        return found

    def _field(self, name: str, part: dict[str, Any]) -> Field:
        kind, values = part.get("type"), part.get("enum")
        if "const" in part:
            return Field(name, "fixed", value=part["const"])
        if values is not None:
            if not isinstance(values, list) or not values or not all(isinstance(one, str) and one for one in values):
                raise self._invalid(name, "this model chooses among strings: 'enum' must be a list of strings.")
            return Field(name, "category", tuple(dict.fromkeys(values)))
        if kind == "string":
            return Field(name, "category" if name.casefold() in CATEGORY_NAMES else "reason")
        if kind == "number":
            return Field(name, "confidence")
        raise self._invalid(name, f"this model gives enums, strings and numbers, not type '{kind}'.")


def _names_all(required: object, properties: dict[str, Any]) -> bool:
    """Return whether a schema's list of required properties names each of them."""
    return (
        isinstance(required, list)
        and all(isinstance(one, str) for one in required)
        and set(required) == set(properties)
    )


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    kinds = part.get("type")
    real = [kind for kind in kinds if kind != "null"] if isinstance(kinds, list) else []
    enum = part.get("enum")
    plain = {**part, "enum": [one for one in enum if one is not None]} if isinstance(enum, list) else part
    return {**plain, "type": real[0]} if len(real) == 1 else plain
