"""Mail addresses, also those with a spelt-out at sign."""

import re
from collections.abc import Iterator

from bot.domain.masking.folded import Mask, Stretch

_JAPANESE = "\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and kanji, which may touch a mail address without a space but are not part of its local part."""
_LOCAL = rf"(?:[^\W{_JAPANESE}]|[.+%&'*/=?^{{}}~|$!#-])"
"""A character of a local part. Look-behinds and possessive quantifiers keep the cost linear."""
_HOST = rf"(?:[^\W_{_JAPANESE}]|-)"
_MAIL = re.compile(rf"(?<!{_LOCAL})(?P<local>{_LOCAL}++)@(?P<host>{_HOST}++(?:\.{_HOST}++)++)")
_KANJI_HOST = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}++@(?=[^\s@]{{0,60}}[{_JAPANESE}])(?:[\w-]{{1,30}}\.){{1,4}}[a-z]{{2,24}}(?![a-z0-9-])",
    re.IGNORECASE,
)
"""An address whose host has a label in kana or kanji; its last label is in Latin letters."""
_SPELT = re.compile(
    rf"(?<![\w.+-])[a-z0-9][\w.+-]{{0,63}}(?:\s?[\[({{<]\s?(?:at|アット(?:マーク)?|@)\s?[\])}}>]\s?|\s?アット(?:マーク)?\s?|\s?[★☆●◎]\s?|\s@\s?(?={_HOST}{{1,63}}(?:\.{_HOST}{{1,63}}){{0,4}}\.[a-z]{{2,24}}(?![\w-]))|\sat\s(?={_HOST}{{1,63}}\s(?:dot|ドット)\s))"
    rf"{_HOST}{{1,63}}(?:\s?(?:\.|[\[({{<]\s?(?:dot|ドット)\s?[\])}}>]|(?<=\s)(?:dot|ドット)(?=\s))\s?{_HOST}{{2,63}}){{1,5}}",
    re.IGNORECASE | re.ASCII,
)
_TOP_LEVEL = re.compile(r"[^\W\d_]{2,}|xn--[a-z0-9-]+", re.IGNORECASE)
_NOT_PEOPLE = frozenset({"git", "svn", "ssh"})
"""Users of an address of a repository, which looks like a mail address."""


def mails(folded: str) -> Iterator[Stretch]:
    for found in _MAIL.finditer(folded):
        host = _host(found["host"])
        start = found.start() + len(found["local"]) - len(found["local"].lstrip("'*/=?^{}~|$!#&.-<"))
        end = found.start("host") + len(host)
        if host and start < found.start("host") - 1 and not _is_repository(found["local"], folded[end : end + 1]):
            yield Stretch(start, end)


def _host(host: str) -> str:
    """Return the host up to its top-level domain; empty if it has none, as in `lodash@4.17.21`."""
    parts = host.split(".")
    while len(parts) > 1 and not _TOP_LEVEL.fullmatch(parts[-1]):
        parts.pop()
    return ".".join(parts) if len(parts) > 1 else ""


def _is_repository(local: str, after: str) -> bool:
    return local.lower() in _NOT_PEOPLE and after == ":"


def in_kanji(folded: str) -> Iterator[Stretch]:
    for found in _KANJI_HOST.finditer(folded):
        yield Stretch(found.start(), found.end())


def spelt(folded: str) -> Iterator[Stretch]:
    for found in _SPELT.finditer(folded):
        yield Stretch(found.start(), found.end())


MAIL_MASKS = (
    Mask("[mail]", mails, signs=("@",)),
    Mask("[mail]", in_kanji, signs=("@",)),
    Mask("[mail]", spelt, signs=("@", "at", "アット", "★", "☆", "●", "◎")),
)
