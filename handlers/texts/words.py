"""Words for people, by language: they live in texts/*.toml and nowhere else (words for the model: prompts/)."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from bot.domain.errors import Refused
from bot.domain.faults import Problem
from handlers.texts.escape import escaped

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
TEXTS = Path(__file__).parent


@cache
def texts(language: Language) -> dict[str, str]:
    """All texts of a language, by dotted key."""
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
    """The language to speak with a person: BOT_LANGUAGE if set, else their Slack locale (`ja-JP`), else English."""
    wanted = (configured or locale or "").lower()
    return next((language for language in LANGUAGES if wanted.startswith(language)), "en")


class Words:
    """The texts of one language: `Words("ja")("refused.not_staff", who="<@U1>")`.

    Facts are put in as they are: what people or models wrote must have been through `escaped` where the text is mrkdwn.

    Raises:
        KeyError: on an unknown key, or where a placeholder has no fact.
    """

    def __init__(self, language: str) -> None:
        self.language = language_of(language, None)

    def __call__(self, key: str, /, **facts: object) -> str:
        return texts(self.language)[key].format_map(facts)

    def refusal(self, refused: Refused) -> str:
        """Why something was refused, as mrkdwn. The fact `who` holds mentions and stays as it is."""
        facts = {k: v if k == "who" else escaped(str(v), 1_500) for k, v in refused.facts.items()}
        return self(f"refused.{refused.reason.value}", **facts)

    def problem(self, problem: Problem) -> str:
        """What an operator has to put right, as one line."""
        said = self(f"cli.fault.{problem.what.value}", **problem.facts)
        return f"{problem.where}: {said}" if problem.where else said
