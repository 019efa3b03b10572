"""The texts people read, by language, from handlers/texts/*.toml. Texts for the model are in prompts/."""

import tomllib
from collections.abc import Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Any, Literal, get_args

from bot.domain.errors import Refused
from bot.domain.faults import Problem
from bot.domain.prompt import Category
from handlers.texts.escape import escaped

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
TEXTS = Path(__file__).parent


@cache
def texts(language: Language) -> dict[str, str]:
    """Return all texts of a language, by dotted key."""
    flat: dict[str, str] = {}

    def walk(prefix: str, table: dict[str, Any]) -> None:
        for name, value in table.items():
            if isinstance(value, dict):
                walk(f"{prefix}{name}.", value)
            else:
                flat[prefix + name] = str(value).strip()

    walk("", tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8")))
    return flat


def language_of(locale: str | None, configured: str | None) -> Language:
    """Return a person's language: BOT_LANGUAGE if set, else the person's Slack locale (`ja-JP`), else English."""
    tag = (configured or locale or "").lower()
    return next((language for language in LANGUAGES if tag.startswith(language)), "en")


class Count(int):
    """A number whose text writes its own noun: `{n:row|rows}` is `1 row` or `2 rows`."""

    def __format__(self, spec: str) -> str:
        one, bar, many = spec.partition("|")
        return f"{int(self)} {one if self == 1 else many}" if bar else super().__format__(spec)


class Words:
    """The texts of one language: `Words("ja")("refused.not_staff", who="<@U1>")`.

    Args:
        language: The language of the texts.
        names: The language of categories' names. None shows the names in the prompt's own language, as posts for a
            whole channel must.

    Facts go into the text unchanged. For mrkdwn, the caller must pass what people or models wrote through `escaped`.

    Raises:
        KeyError: The key is unknown, or a placeholder has no fact.
    """

    def __init__(self, language: str, names: str | None = None) -> None:
        self.language = language_of(language, None)
        self._names = names

    def name(self, category: Category) -> str:
        """Return the category's name as this reader knows it, in one line; not escaped."""
        return " ".join(category.name_in(self._names).split()) or category.id

    def __call__(self, key: str, /, **facts: object) -> str:
        counted = {name: Count(fact) if type(fact) is int else fact for name, fact in facts.items()}
        return texts(self.language)[key].format_map(counted)

    def listed(self, names: Sequence[str]) -> str:
        """Return several names in one line, empty for none, as this language separates them."""
        return reduce(lambda first, following: self("list.join", first=first, next=following), names) if names else ""

    def refusal(self, refused: Refused) -> str:
        """Return why something was refused, as mrkdwn. All facts but `who`, which holds mentions, are escaped."""
        facts = {k: v if k == "who" else escaped(str(v), 1_500) for k, v in refused.facts.items()}
        return self(f"refused.{refused.reason.value}", **facts)

    def problem(self, problem: Problem) -> str:
        """Return what an operator has to correct, as one line."""
        text = self(f"cli.fault.{problem.what.value}", **problem.facts)
        return f"{problem.where}: {text}" if problem.where else text
