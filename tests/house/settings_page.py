"""Writer of docs/settings.md, from bot/settings.py: `python -m tests.house.settings_page`."""

import ast
import inspect
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from bot import settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
NESTED = "bot_providers"
"""The setting whose entries have fields of their own, those of `settings.Endpoint`."""
KINDS = "bot_retention_days"
"""The setting with a number of days for each kind, the fields of `settings.RetentionDays`."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Slack": ("slack_bot_token", "slack_app_token", "slack_signing_secret", "slack_api_url"),
    "OpenAI": ("openai_api_key", "openai_base_url"),
    "LangSmith": (
        *("langsmith_api_key", "langsmith_endpoint", "langsmith_project"),
        *("langsmith_workspace_id", "langsmith_staff"),
    ),
    "Database": ("database_url",),
    "Certificates": ("ssl_cert_file",),
    "People and channels": ("bot_staff", "bot_admins", "bot_channels", "bot_emoji", "bot_ops_channel"),
    "Prompt and models": (
        "bot_prompt",
        "bot_serving",
        "bot_fallback",
        "bot_student",
        "bot_auto_train",
        "bot_encoder",
        NESTED,
    ),
    "Privacy": ("bot_privacy_notice", "bot_training_allowed", "bot_private_rows"),
    "Retention": (KINDS,),
    "Limits": (
        *("bot_shadow_per_day", "bot_budget_usd", "bot_questions_per_hour"),
        *("bot_catch_up_hours", "bot_remind_hours"),
    ),
    "Language": ("bot_language", "lang"),
    "Port, start and stop": ("bot_http_port", "bot_http_host", "bot_open_browser", "bot_drain_seconds"),
    "Traces": ("otel_exporter_otlp_endpoint",),
}
INTRODUCTION = """\
# Settings

Settings come from environment variables or from a file `.env` in the current folder; the environment wins. An empty
value counts as not set. Entries of a list are separated by commas. If a setting is wrong or missing, the bot does not
start, and prints one line for each problem.

`python -m tests.house.settings_page` writes this page from the docstrings in [bot/settings.py](../bot/settings.py).
"""
PROVIDERS = """\
Each provider has a name of your choice, which replaces `<NAME>`. For example,
`BOT_PROVIDERS__HOUSE__BASE_URL` adds the provider `house`, and `BOT_SERVING=house/qwen-8b` names one of its models.
"""


def docstrings(of: type) -> dict[str, str]:
    """Return the docstring of each field of a class in bot/settings.py."""
    tree = ast.parse(inspect.getsource(settings))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == of.__name__)
    found = {}
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(docstring))):
                found[name] = " ".join(docstring.split())
            case _:
                pass
    return found


def meaning_and_default(docstring: str) -> tuple[str, str]:
    """Return a docstring without its last sentence, and the default that this sentence states."""
    meaning, _, default = docstring.partition("Default: ")
    return meaning.strip(), default.strip().rstrip(".")


def table(rows: Mapping[str, str]) -> str:
    """Return a table of settings.

    Args:
        rows: Docstrings by setting.
    """
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, docstring in rows.items():
        meaning, default = meaning_and_default(docstring)
        lines.append(f"| `{name}` | {default or 'required'} | {meaning} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the text of docs/settings.md."""
    fields = docstrings(settings.Settings)
    parts = [INTRODUCTION]
    for title, names in GROUPS.items():
        parts += [f"## {title}\n", table({name.upper(): fields[name] for name in names})]
        if NESTED in names:
            entries = docstrings(settings.Endpoint)
            rows = {f"{NESTED}__<name>__{name}".upper(): docstring for name, docstring in entries.items()}
            parts += [PROVIDERS, table(rows)]
        if KINDS in names:
            ages = docstrings(settings.RetentionDays)
            parts.append(table({f"{KINDS}__{name}".upper(): docstring for name, docstring in ages.items()}))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
