"""The sample company: its people, the teams that own the categories, and its channels."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.practice.manifest import AppManifest
from bot.practice.people import TEAM_ID, Channel, Group, Member, Role

STAFF_GROUP_ID = "S0STAFF0001"
"""Id of the user group of the sample staff."""
TEAM_GROUP_IDS = {
    "labor": "S0LABOR0001",
    "hr": "S0HR0000001",
    "general_affairs": "S0GENERAL01",
    "accounting": "S0ACCOUNT01",
    "it": "S0IT0000001",
}
"""A usual category's id → the id of the user group that answers such questions in the sample company."""
_OTHER_TEAM = "T0PARTNER01"
_TEAMS = {
    "labor": {"en": "Labor", "ja": "労務"},
    "hr": {"en": "HR", "ja": "人事"},
    "general_affairs": {"en": "General Affairs", "ja": "総務"},
    "accounting": {"en": "Accounting", "ja": "経理"},
    "it": {"en": "IT", "ja": "情シス"},
}


def _japanese(ident: str, name: str, names: tuple[str, str], color: str, role: Role = "employee") -> Member:
    english, own = names
    return Member(ident, name, own, {"en": english, "ja": own}, role, "ja-JP", color, is_admin=role == "admin")


def _english(ident: str, name: str, names: tuple[str, str], color: str, role: Role = "employee") -> Member:
    own, japanese = names
    return Member(
        *(ident, name, own, {"en": own, "ja": japanese}, role, "en-US", color, "America/New_York"),
        is_admin=role == "admin",
        is_restricted=role == "guest",
    )


def _teams(staff: tuple[Member, ...]) -> list[Group]:
    """Return a user group for each team, and tell each member of the staff the own team."""
    teams = []
    for member, (key, names) in zip(staff, _TEAMS.items(), strict=True):
        member.team_names = names
        titles = {"en": f"{names['en']} team", "ja": f"{names['ja']}チーム"}
        teams.append(Group(TEAM_GROUP_IDS[key], f"{key.replace('_', '-')}-team", titles, [member.id]))
    return teams


@dataclass(frozen=True)
class SamplePeople:
    """The sample people: two employees, five staff, two admins, a guest, a stranger and the bot.

    The first of each kind speaks Japanese, the second English. Each of the staff is a team of a usual category. The
    stranger works for a partner company and has no window on the page; `Server.stranger_says` posts the messages.
    """

    employees: tuple[Member, Member]
    staff: tuple[Member, ...]
    admins: tuple[Member, Member]
    guest: Member
    stranger: Member
    bot: Member
    groups: tuple[Group, ...]
    _by_id: dict[str, Member] = field(default_factory=dict)

    @classmethod
    def sample(cls, manifest: AppManifest) -> "SamplePeople":
        misaki = _japanese("U0MISAKI001", "misaki.sato", ("Misaki Sato", "佐藤 美咲"), "#2b7a78")
        emily = _english("U0EMILY0001", "emily.carter", ("Emily Carter", "エミリー・カーター"), "#9c4f15")
        staff = (
            _japanese("U0KENJI0001", "kenji.takahashi", ("Kenji Takahashi", "高橋 健司"), "#3f51b5", "staff"),
            _english("U0PRIYA0001", "priya.nair", ("Priya Nair", "プリヤ・ナイル"), "#8e44ad", "staff"),
            _english("U0JAMES0001", "james.miller", ("James Miller", "ジェームズ・ミラー"), "#5d6d2f", "staff"),
            _japanese("U0AOI000001", "aoi.nakamura", ("Aoi Nakamura", "中村 葵"), "#ad1457", "staff"),
            _japanese("U0DAISUKE01", "daisuke.suzuki", ("Daisuke Suzuki", "鈴木 大輔"), "#00695c", "staff"),
        )
        yuko = _japanese("U0YUKO00001", "yuko.ito", ("Yuko Ito", "伊藤 裕子"), "#c0392b", "admin")
        sarah = _english("U0SARAH0001", "sarah.jones", ("Sarah Jones", "サラ・ジョーンズ"), "#6d4c41", "admin")
        tom = _english("U0TOM000001", "tom.becker", ("Tom Becker", "トム・ベッカー"), "#7f8c8d", "guest")
        lena = _english("U0LENA00001", "lena.vogel", ("Lena Vogel", "レナ・フォーゲル"), "#555555", "partner")
        lena.team_id = _OTHER_TEAM
        name = manifest.bot_name
        handle = name.lower().replace(" ", "_")
        bot = Member(manifest.bot_user, handle, name, {"en": name, "ja": name}, "app", "en-US", "#e0a526", is_bot=True)
        titles = {"en": "help desk", "ja": "窓口担当"}, {"en": "help-desk admins", "ja": "窓口管理者"}
        people = cls(
            employees=(misaki, emily),
            staff=staff,
            admins=(yuko, sarah),
            guest=tom,
            stranger=lena,
            bot=bot,
            groups=(
                Group(STAFF_GROUP_ID, "help-desk-staff", titles[0], [one.id for one in staff]),
                Group("S0ADMINS001", "help-desk-admins", titles[1], [yuko.id, sarah.id]),
                *_teams(staff),
            ),
        )
        people._by_id.update({one.id: one for one in (misaki, emily, *staff, yuko, sarah, tom, lena, bot)})
        return people

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    @property
    def admin(self) -> Member:
        """Return the admin who speaks Japanese."""
        return self.admins[0]

    @property
    def acting(self) -> list[Member]:
        """Return the people that the page can act as: neither bots nor people of other companies."""
        return [one for one in self if not one.is_bot and (one.team_id == TEAM_ID or one.enterprise_id)]

    @property
    def staff_group(self) -> Group:
        return self.groups[0]

    @property
    def admin_group(self) -> Group:
        return self.groups[1]

    def is_colleague(self, member: Member) -> bool:
        """Return whether the member belongs to the organisation of the workspace."""
        return member.team_id == TEAM_ID or ("" != member.enterprise_id == self.bot.enterprise_id)

    def get(self, user_id: str) -> Member | None:
        return self._by_id.get(user_id)


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
        inner = [one.id for one in (*people.staff, *people.admins, people.bot)]
        topics = (
            {"en": "For the whole company", "ja": "全社向けのお知らせ"},
            {"en": "Ask your questions here", "ja": "社内の質問はこちらへ"},
            {"en": "Anything else", "ja": "雑談"},
            {"en": "For staff and admins", "ja": "窓口担当と管理者向け"},
        )
        return cls(
            Channel("C0GENERAL01", "general", list(everybody), topics[0]),
            Channel("C0HELPDESK1", "help-desk", list(everybody), topics[1]),
            Channel("C0RANDOM001", "random", list(everybody), topics[2]),
            Channel("C0OPS000001", "madoguchi-ops", inner, topics[3], is_private=True),
        )

    def __iter__(self) -> Iterator[Channel]:
        return iter((self.help_desk, self.general, self.random, self.ops))
