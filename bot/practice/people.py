"""The people, user groups and conversations of a workspace."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from bot.practice.wire import Json

TEAM_ID = "T0PRACTICE1"
TEAM_DOMAIN = "practice"
TEAM_NAME = "Practice"
OTHER_TEAM = "T0PARTNER01"
Role = Literal["employee", "staff", "admin", "guest", "partner", "app"]
ENTERPRISE_NAME = "Practice Holding"
_ZONES = {"Asia/Tokyo": ("Japan Standard Time", 32400), "America/New_York": ("Eastern Standard Time", -18000)}


@dataclass
class Member:
    """A person, or the app's bot user. `real_name` is in the person's own language; `locale` may change.

    The page shows the name of `names` in the reader's language ("en", "ja"), and beside it the role and the team.
    A `team_id` other than `TEAM_ID` belongs to a partner company, whose people join by Slack Connect. With an
    `enterprise_id` it belongs to a sibling workspace of an Enterprise Grid organisation. The bot's own `enterprise_id`
    puts the whole workspace into that organisation.
    """

    id: str
    name: str
    real_name: str
    names: Mapping[str, str]
    role: Role
    locale: str
    color: str
    tz: str = "Asia/Tokyo"
    is_admin: bool = False
    is_restricted: bool = False
    is_bot: bool = False
    is_deactivated: bool = False
    team_id: str = TEAM_ID
    enterprise_id: str = ""
    team_names: Mapping[str, str] | None = None

    def summary(self) -> Json:
        """Return the short form of this person that the page uses."""
        keys = ("id", "name", "real_name", "names", "role", "team_names", "locale", "is_bot", "color")
        return {key: value for key, value in asdict(self).items() if key in keys}

    def user(self, *, include_locale: bool) -> Json:
        """Return Slack's user object."""
        label, offset = _ZONES[self.tz]
        profile = {
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": self.team_id,
        }
        user: Json = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.is_deactivated,
            "color": self.color.lstrip("#"),
            "real_name": self.real_name,
            "tz": self.tz,
            "tz_label": label,
            "tz_offset": offset,
            "profile": profile,
            "is_admin": self.is_admin,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": False,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 1790000000,
        }
        user |= {"is_stranger": True} if self.team_id != TEAM_ID else {}
        if self.enterprise_id:
            user["enterprise_user"] = {"enterprise_id": self.enterprise_id, "id": self.id, "teams": [self.team_id]}
        return user | ({"locale": self.locale} if include_locale else {})


@dataclass(frozen=True)
class Group:
    """A user group (`<!subteam^S…>`). The page shows the name of `names` in the reader's language."""

    id: str
    handle: str
    names: Mapping[str, str]
    users: list[str]

    def summary(self) -> Json:
        """Return the short form of this group that the page uses."""
        return asdict(self)

    def usergroup(self, *, include_users: bool) -> Json:
        """Return Slack's usergroup object."""
        group: Json = {
            "id": self.id,
            "team_id": TEAM_ID,
            "is_usergroup": True,
            "is_external": False,
            "name": self.names["en"],
            "handle": self.handle,
            "description": "",
            "date_create": 1790000000,
            "date_delete": 0,
            "user_count": len(self.users),
        }
        return group | ({"users": list(self.users)} if include_users else {})


@dataclass
class Channel:
    """A conversation. In a DM with the bot, `user` is the person's id; `members` may change."""

    id: str
    name: str
    members: list[str]
    topics: Mapping[str, str] | None = None
    is_private: bool = False
    is_im: bool = False
    user: str = ""
    created: int = 1790000000

    @property
    def kind(self) -> str:
        """Return the conversation's `channel_type`: `channel`, `group` (a private channel) or `im`."""
        return "im" if self.is_im else "group" if self.is_private else "channel"

    def summary(self) -> Json:
        """Return the short form of this channel that the page uses; in a DM, its `user` is the bot."""
        keys = ("id", "name", "members", "topics", "is_private", "is_im")
        summary = {key: value for key, value in asdict(self).items() if key in keys}
        return summary | ({"user": next(one for one in self.members if one != self.user)} if self.is_im else {})

    def conversation(self, bot_user: str) -> Json:
        """Return Slack's conversation object for this bot user."""
        shared: Json = {"id": self.id, "created": self.created, "is_archived": False, "is_im": self.is_im}
        shared |= {"is_org_shared": False, "context_team_id": TEAM_ID, "updated": self.created * 1000}
        if self.is_im:
            return shared | {"user": self.user, "is_user_deleted": False, "priority": 0}
        remark = {"creator": "", "last_set": 0}
        return shared | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_general": self.name == "general",
            "is_shared": False,
            "is_ext_shared": False,
            "is_pending_ext_shared": False,
            "is_member": bot_user in self.members,
            "creator": "U0YUKO00001",
            "topic": {"value": " · ".join((self.topics or {}).values()), **remark},
            "purpose": {"value": "", **remark},
        }
