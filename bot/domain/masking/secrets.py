"""Keys, tokens, passwords that are said to be such, addresses that hold one, and addresses of machines."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator

from bot.domain.masking.folded import Mask, Stretch

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:(?!-----END)[\s\S])*+(?:-----END[A-Z0-9 ]{0,60}-----)?"
)
_KANJI_HOST = (
    r"(?=[\u3005-\u9fff])[^\s/<>|。、「」（）]{1,60}?"
    r"(?:\.[a-z0-9-]{2,24}(?![a-z0-9-])|(?=[\s/:はがをにへでと、。」）]|$))"
)
_URL_WITH_SECRET = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,15}://(?:"
    rf"[^\s/@:<>]{{0,200}}:[^\s/@<>]{{1,200}}@(?:{_KANJI_HOST})?[^\s<>|\u3000-\u9fff]{{0,2000}}"
    r"|hooks\.slack\.com/[^\s<>|\u3000-\u9fff]{1,2000}"
    r"|[^\s/<>]{0,100}(?:webhook\.office\.com|discord(?:app)?\.com/api/webhooks)/?[^\s<>|\u3000-\u9fff]{1,2000}"
    r"|[^\s<>?]{1,1000}\?(?:[^\s<>#|]{0,500}&)?(?:access_token|token|api_?key|apikey|secret|password|sig|signature)=[^\s<>|\u3000-\u9fff]{4,1000}"
    r")",
    re.IGNORECASE,
)
_KNOWN_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,400}|xapp-[A-Za-z0-9-]{10,400}"
    r"|sk-[A-Za-z0-9_-]{16,400}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,400}|whsec_[A-Za-z0-9+/=]{16,200}"
    r"|A(?:KIA|SIA|ROA|IDA)[0-9A-Z]{12,20}"
    r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,200}"
    r"|AIza[A-Za-z0-9_-]{30,40}|ya29\.[A-Za-z0-9_-]{20,400}|hf_[A-Za-z0-9]{20,200}|npm_[A-Za-z0-9]{20,200}"
    r"|pypi-[A-Za-z0-9_-]{16,400}|SG\.[A-Za-z0-9_-]{16,80}\.[A-Za-z0-9_-]{16,80}|lsv2_[a-z]{2}_[A-Za-z0-9_]{16,200}"
    r"|eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,4000}(?:\.[A-Za-z0-9_-]{8,4000})?"
    r")(?![A-Za-z0-9])"
)
_LABELLED_TOKEN = re.compile(
    r"(?:secret(?:[ _]access)?[ _]key|api[ _-]?key|access[ _]?token|client[ _]secret|bearer"
    r"|APIキー|シークレットキー|アクセストークン|秘密鍵"
    r"|(?:(?<![a-z])token|トークン)(?=[\s*_~`]{0,3}(?:は|が|:|=|is\s)))"
    r"(?:[\s*_~`]{0,3}(?:は|が|:|=|is|の値は)){0,2}[\s*_~`]{0,3}[\"'「]?(?P<value>(?=[A-Za-z0-9_+/.~-]{0,60}\d)[A-Za-z0-9_+/.~-]{16,400}={0,2})",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"(?:パスワード|パスフレーズ|パスコード|暗証番号|暗証コード|認証コード|合言葉"
    r"|(?<![a-z])OTP(?![a-z])"
    r"|(?<![a-z])(?:verification|one-time|access|security) code|ログインPW"
    r"|(?<![a-z])PW(?:D|S)?(?![a-z])"
    r"|(?<![a-z])pass(?:(?:word|wd|code|phrase)s?(?![a-z])|(?=\s?[:=]))"
    r"|(?<![a-z])PIN(?![a-z])(?:\s?(?:コード|番号|code|number))?)"
    r"(?:\s(?:for|of|to|on)\s[A-Za-z0-9 .'-]{1,30}?(?=\s(?:is|was)\s))?"
    r"(?:[\s*_~|]{0,3}(?:は|が|を|:|;|=|is|was|now|→|⇒|>|-|'s)){0,3}[\s*_~|]{0,3}"
    r"(?:[\"「『`](?P<quoted>[^\"」』`\n]{4,64})[\"」』`]|[(']?(?P<value>[!-~]{4,64}))",
    re.IGNORECASE,
)
_PASSWORD_SIGNS = ("pass", "pw", "pin", "otp", "code", "パス", "暗証", "認証", "合言葉")
_SET_PASSWORD = re.compile(
    r"(?:\b(?:set|changed?|reset|updated?)\s(?:(?:my|the|his|her|our)\s)?(?:password|passcode|pin)\sto\s"
    r"|(?<![ァ-ヶー])パス\s?(?:は|:|=)\s?)"
    r"[\"'「『`*]?(?P<value>(?=[!-~]{0,63}\d)(?=[!-~]{0,63}[A-Za-z])[!-.0-\[\]-~]{6,64})",
    re.IGNORECASE,
)
"""Words that often stand before something else: only letters with digits are a password behind them."""
_NAMED_LATER = re.compile(
    r"(?<![!-~])[(\"'「]?(?P<value>[!-~]{4,64}?)[)\"'」]?(?:"
    r",?\s(?:is|was)\s(?:my|the|our|his|her)\s(?:\w{1,12}\s){0,2}(?:password|passcode|passphrase|pin)(?![a-z])"
    r"|\s?(?:が|は)(?:[ぁ-んァ-ヶ一-龥A-Za-z0-9-]{1,12}の)?(?:パスワード|暗証番号|パスコード|PIN)(?:です|だ|に|で|、|。|$))",
    re.IGNORECASE,
)
"""A password that the words behind it name."""
_PLAIN_WORD = re.compile(r"[A-Za-z]+(?:[-'’][A-Za-z]+)*[.,;:!?)\"]*|\d{1,3}[A-Za-z]*|[^\w]+")
"""No password unless it is quoted: a word, or a count such as `90days`."""
_TRAILING = ".,;:?)\"'`"
"""Signs that may follow a password without being a part of it."""
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-f:]{0,40}:[0-9a-f:]{0,40}:)[0-9a-f:]{6,39}(?![\w:])", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![A-Za-z0-9_.-])\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9_-]|\.\d)")
_VERSION_LABEL = re.compile(
    r"(?:(?<![a-z])v|(?<![a-z])ver(?:sion|\.)?|build|release|section|clause|chapter|firmware|driver|update|upgrade|python|java|node|windows|macos|ios|android|chrome|firefox|edge|safari|office|excel|outlook|teams|zoom|slack|バージョン|ビルド|第|節|項)\s{0,2}[:=は]?\s{0,2}$",
    re.IGNORECASE,
)
"""Labels that make four numbers with dots a version or a section."""
_LABEL_READ = 16
"""Characters before a number that are read to see what it is."""


def matches(pattern: re.Pattern[str], group: str | int = 0) -> Callable[[str], Iterable[Stretch]]:
    """Return a search for a pattern's group."""

    def find(folded: str) -> Iterator[Stretch]:
        for found in pattern.finditer(folded):
            yield Stretch(found.start(group), found.end(group))

    return find


def passwords(folded: str) -> Iterator[Stretch]:
    """Return what a text says to be a password: anything in quotes, else what is no ordinary word."""
    for found in _PASSWORD.finditer(folded):
        group = "quoted" if found["quoted"] else "value"
        value = found[group] if found["quoted"] else found[group].rstrip(_TRAILING)
        ordinary = group == "value" and _PLAIN_WORD.fullmatch(found[group])
        if len(value) >= 4 and not ordinary and not value.startswith("["):
            yield Stretch(found.start(group), found.start(group) + len(value))


def named_later(folded: str) -> Iterator[Stretch]:
    """Return what the words behind it say to be a password, unless it is a word."""
    for found in _NAMED_LATER.finditer(folded):
        value = found["value"].strip(_TRAILING + "(")
        if len(value) >= 4 and any(ch.isdigit() for ch in value):
            yield Stretch(start := found.start("value") + found["value"].index(value), start + len(value))


def machines(folded: str) -> Iterator[Stretch]:
    """Return IP addresses, both kinds in order of place."""
    found = [*_IPV4.finditer(folded), *_IPV6.finditer(folded)]
    for one in sorted(found, key=lambda match: match.start()):
        try:
            ipaddress.ip_address(one.group())
        except ValueError:
            continue
        if not _VERSION_LABEL.search(folded[max(0, one.start() - _LABEL_READ) : one.start()]) and len(one.group()) > 6:
            yield Stretch(one.start(), one.end())


SECRET_MASKS = (
    Mask("[secret]", matches(_PRIVATE_KEY), signs=("-----begin",)),
    Mask("[url]", matches(_URL_WITH_SECRET), signs=("://",)),
    Mask("[secret]", matches(_KNOWN_TOKEN)),
    Mask(
        "[secret]",
        matches(_LABELLED_TOKEN, "value"),
        digits=1,
        signs=("key", "secret", "token", "bearer", "キー", "トークン", "秘密鍵"),
    ),
    Mask("[password]", passwords, signs=_PASSWORD_SIGNS),
    Mask("[password]", matches(_SET_PASSWORD, "value"), digits=1, signs=("pass", "pin", "パス")),
    Mask("[password]", named_later, digits=1, signs=("pass", "pin", "パス", "暗証")),
    Mask("[ip]", machines, signs=(".", ":")),
)
