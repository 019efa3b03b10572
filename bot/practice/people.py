"""The people, user groups and channels of the sample workspace."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from bot.practice.manifest import AppManifest
from bot.practice.wire import Json

TEAM_ID = "T0PRACTICE1"
STAFF_GROUP_ID = "S0STAFF0001"
"""Id of the user group of the sample staff."""
TEAM_DOMAIN = "practice"
TEAM_NAME = "Practice"
OTHER_TEAM = "T0PARTNER01"
_ZONES = {"Asia/Tokyo": ("Japan Standard Time", 32400), "America/New_York": ("Eastern Standard Time", -18000)}


@dataclass
class Member:
    """A person, or the app's bot user. The page shows `role_note` beside the name; `locale` may change.

    A `team_id` other than `TEAM_ID` belongs to a partner company, whose people join by Slack Connect, or, with an
    `enterprise_id`, to a sibling workspace of an Enterprise Grid organisation. The bot's own `enterprise_id` puts the
    whole workspace into that organisation.
    """

    id: str
    name: str
    real_name: str
    role_note: str
    locale: str
    color: str
    tz: str = "Asia/Tokyo"
    is_admin: bool = False
    is_restricted: bool = False
    is_bot: bool = False
    team_id: str = TEAM_ID
    enterprise_id: str = ""

    def summary(self) -> Json:
        """Return the short form of this person that the page uses."""
        keys = ("id", "name", "real_name", "role_note", "locale", "is_bot", "is_restricted", "color")
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
            "deleted": False,
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
    """A user group (`<!subteam^S…>`)."""

    id: str
    handle: str
    name: str
    users: list[str]

    def usergroup(self, *, include_users: bool) -> Json:
        """Return Slack's usergroup object."""
        group: Json = {
            "id": self.id,
            "team_id": TEAM_ID,
            "is_usergroup": True,
            "is_external": False,
            "name": self.name,
            "handle": self.handle,
            "description": "",
            "date_create": 1790000000,
            "date_delete": 0,
            "user_count": len(self.users),
        }
        return group | ({"users": list(self.users)} if include_users else {})


@dataclass(frozen=True)
class SamplePeople:
    """The sample people: two employees, two staff, an admin, a guest, a stranger and the bot.

    The first employee and the first of the staff speak Japanese, the second ones English. The stranger works for a
    partner company and has no window on the page; `Server.stranger_says` posts the stranger's messages.
    """

    employees: tuple[Member, Member]
    staff: tuple[Member, Member]
    admin: Member
    guest: Member
    stranger: Member
    bot: Member
    staff_group: Group
    admin_group: Group
    _by_id: dict[str, Member] = field(default_factory=dict)

    @classmethod
    def sample(cls, manifest: AppManifest) -> "SamplePeople":
        east = "America/New_York"
        misaki = Member("U0MISAKI001", "misaki.sato", "佐藤 美咲", "社員", "ja-JP", "#2b7a78")
        emily = Member("U0EMILY0001", "emily.carter", "Emily Carter", "Employee", "en-US", "#b5651d", east)
        kenji = Member("U0KENJI0001", "kenji.takahashi", "高橋 健司", "窓口担当", "ja-JP", "#3f51b5")
        priya = Member("U0PRIYA0001", "priya.nair", "Priya Nair", "Help-desk staff", "en-US", "#8e44ad", east)
        yuko = Member("U0YUKO00001", "yuko.ito", "伊藤 裕子", "管理者", "ja-JP", "#c0392b", is_admin=True)
        tom = Member("U0TOM000001", "tom.becker", "Tom Becker", "Guest", "en-US", "#7f8c8d", east, is_restricted=True)
        lena = Member(
            "U0LENA00001", "lena.vogel", "Lena Vogel", "Partner", "en-US", "#555555", east, team_id=OTHER_TEAM
        )
        handle = manifest.bot_name.lower().replace(" ", "_")
        bot = Member(manifest.bot_user, handle, manifest.bot_name, "App", "en-US", "#e0a526", is_bot=True)
        people = cls(
            employees=(misaki, emily),
            staff=(kenji, priya),
            admin=yuko,
            guest=tom,
            stranger=lena,
            bot=bot,
            staff_group=Group(STAFF_GROUP_ID, "help-desk-staff", "Help-desk staff", [kenji.id, priya.id]),
            admin_group=Group("S0ADMINS001", "help-desk-admins", "Help-desk admins", [yuko.id]),
        )
        people._by_id.update({one.id: one for one in (misaki, emily, kenji, priya, yuko, tom, lena, bot)})
        return people

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    @property
    def acting(self) -> list[Member]:
        """Return the people that the page can act as: neither bots nor people of other companies."""
        return [one for one in self if not one.is_bot and (one.team_id == TEAM_ID or one.enterprise_id)]

    @property
    def groups(self) -> tuple[Group, Group]:
        return (self.staff_group, self.admin_group)

    def is_colleague(self, member: Member) -> bool:
        """Return whether the member belongs to the organisation of the workspace."""
        return member.team_id == TEAM_ID or ("" != member.enterprise_id == self.bot.enterprise_id)

    def get(self, user_id: str) -> Member | None:
        return self._by_id.get(user_id)


@dataclass
class Channel:
    """A conversation. In a DM with the bot, `user` is the person's id; `members` may change."""

    id: str
    name: str
    members: list[str]
    topic: str = ""
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
        keys = ("id", "name", "members", "topic", "is_private", "is_im")
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
            "topic": {"value": self.topic, **remark},
            "purpose": {"value": "", **remark},
        }


@dataclass(frozen=True)
class Channels:
    """The sample channels. DMs with the bot are created when they are first opened."""

    general: Channel
    help_desk: Channel
    random: Channel
    ops: Channel

    @classmethod
    def sample(cls, people: SamplePeople) -> "Channels":
        everybody = [*(one.id for one in people.acting), people.bot.id]
        inner = [one.id for one in (*people.staff, people.admin, people.bot)]
        return cls(
            Channel("C0GENERAL01", "general", list(everybody), "Company-wide · 全社"),
            Channel("C0HELPDESK1", "help-desk", list(everybody), "Ask here · 社内の質問はこちらへ"),
            Channel("C0RANDOM001", "random", list(everybody), "Anything else · 雑談"),
            Channel("C0OPS000001", "madoguchi-ops", inner, "For staff and admins · 運用", is_private=True),
        )

    def __iter__(self) -> Iterator[Channel]:
        return iter((self.help_desk, self.general, self.random, self.ops))
