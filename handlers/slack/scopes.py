"""The scopes that the installed app lacks, by the manifest. A missing scope switches off only what needs it."""

import logging
from collections.abc import Iterable
from pathlib import Path

import yaml
from slack_bolt.authorization import AuthorizeResult

log = logging.getLogger(__name__)

APP_MANIFEST = Path(__file__).resolve().parents[2] / "manifest.yml"
SCOPES_HEADER = "x-oauth-scopes"
"""The header in which each answer of Slack's Web API lists the scopes of the token."""
PRIVATE_CHANNEL_SCOPES = frozenset({"groups:history", "groups:read"})
GROUP_SCOPE = "usergroups:read"


def missing_scopes(identity: AuthorizeResult) -> tuple[str, ...]:
    """Return the scopes of the manifest that the token lacks; none if Slack does not tell its scopes."""
    granted = {scope for scope in identity.bot_scopes or () if scope}
    if not granted:
        return ()
    manifest = yaml.safe_load(APP_MANIFEST.read_text(encoding="utf-8"))
    return tuple(sorted(set(manifest["oauth_config"]["scopes"]["bot"]) - granted))


def warn_of_missing_scopes(identity: AuthorizeResult) -> None:
    """Log one line that names the missing scopes, if there are any."""
    missing = missing_scopes(identity)
    if missing:
        log.warning("the Slack app lacks scopes of manifest.yml, and what needs them is off: %s", ", ".join(missing))


def may_be_left_out(scopes: Iterable[str], people: Iterable[str]) -> bool:
    """Return whether the bot works without these scopes, as docs/slack.md says.

    Args:
        scopes: The missing scopes.
        people: The ids of staff and admins; a user group among them needs its scope.
    """
    names_groups = any(member.startswith("S") for member in people)
    optional = PRIVATE_CHANNEL_SCOPES if names_groups else PRIVATE_CHANNEL_SCOPES | {GROUP_SCOPE}
    return optional.issuperset(scopes)
