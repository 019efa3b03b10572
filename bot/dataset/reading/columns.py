"""The columns that hold question, category and reason, under the names that people and programs give them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from bot.domain.thing import Thing

QUESTION_COLUMNS = (
    *("text", "question", "質問", "本文", "質問内容", "ご質問", "ご質問内容", "質問文", "問い合わせ", "お問い合わせ"),
    *("問い合わせ内容", "お問い合わせ内容", "問合せ内容", "相談内容", "ご相談内容", "utterance", "query", "prompt"),
    *("message", "content", "内容", "textcontent"),
)
BODY_COLUMNS = ("description", "説明", "詳細", "body", "詳細説明")
TITLE_COLUMNS = (
    *("subject", "件名", "summary", "要約", "shortdescription", "簡単な説明", "title", "タイトル", "概要", "題名"),
    *("ticketname", "casename"),
)
QUESTION_CONTAINERS = ("inputs", "input", "data", "fields")
"""Names under which programs put all fields of a question."""
CATEGORY_COLUMNS = (
    *("category", "categories", "label", "カテゴリー", "カテゴリ", "分類", "カテゴリー名", "カテゴリ名", "分類名"),
    *("annotation", "choice", "intent", "class", "cats", "classificationannotation"),
    *(
        "component/s",
        "components",
        "コンポーネント",
        "コンポーネント/s",
        "labels",
        "ラベル",
        "種別",
        "問い合わせ種別",
        "区分",
    ),
    *("assignmentgroup", "アサイン先グループ", "アサイングループ", "担当グループ", "担当部署", "担当", "group"),
    *("グループ", "requesttype", "リクエストタイプ", "issuetype", "課題タイプ"),
)
WEAK_CATEGORY_COLUMNS = ("team", "チーム", "department", "部署")
"""Names that may also hold the asker's own, so all others come first."""
ANSWER_CONTAINERS = (
    *("referenceoutputs", "expectedoutput", "expected", "ideal", "preferredoutput", "outputs", "output", "completion"),
    *("responses", "annotations", "completions"),
)
"""Names under which programs put all fields of an answer; what people settled comes before what a model said."""
ANSWERED = (r"(?:reference|expected)outputs?\.?", r"outputs?\.?")
TICKET = r"(?:ticket|case|incident|チケット|ケース)の?"
ASKED = (r"inputs?\.?", TICKET)
"""Prefixes that programs put before a column's name."""
REASON_COLUMNS = ("reason", "理由", "rationale")
ASKS = re.compile(
    "質問|問い合わせ|問合せ|相談|困りごと|お困り|ご用件|ご要望|依頼内容|(?:聞き|知り|伺い)たい|困ってい"
    "|question|inquiry|describe|yourissue|yourproblem|yourrequest|helpyou|needhelp|helpwith"
)
SORTS = re.compile(
    "カテゴリ|分類|種別|種類|区分|担当|窓口|category|department|typeof|topic|which(?:team|group)|(?:team|group)name"
)
"""Words in the names that people give the questions of a form."""
ELSE = re.compile(
    "所属|あなたの|氏名|者$|者名|日$|日時|番号|件数|状況|回答|対応|yourdepartment|yourteam|id$|no$|date|time|status|answer"
)
"""Words in the names of columns that hold neither: who asked, when, and what became of it."""
LABEL_STUDIO = frozenset({"id", "annotator", "annotationid", "createdat", "updatedat", "leadtime"})
"""The columns of Label Studio's JSON-MIN and CSV besides the data and the label, which has a name of its own."""
CUSTOM_FIELD = re.compile(r"(?:customfield|カスタムフィールド)\((.*)\)")
"""The name of a column of Jira for a field of its own."""
DECORATION = re.compile(r"\((?:必須|任意|required|optional)\)|[\s_\-*:。?!\ufeff]+|\.+$")


class Selection(Thing):
    """The chosen columns, by name; empty where there is none."""

    text: tuple[str, ...] = ()
    category: str = ""
    reason: str = ""


def normal(name: str) -> str:
    """Return a column's name without case, width and decoration."""
    bare = DECORATION.sub("", unicodedata.normalize("NFKC", name).casefold())
    custom = CUSTOM_FIELD.fullmatch(bare)
    return custom[1] if custom else bare


@lru_cache(maxsize=256)
def select(names: tuple[str, ...], text_names: tuple[str, ...] = (), category_name: str = "") -> Selection:
    """Choose among the names of a header or a record; what a person named comes before what is known."""
    by_name = columns(names)
    if category_name:
        category = by_name.get(normal(category_name), "")
    else:
        category = next(iter(settled(by_name)), "") or _category_like(by_name)
    if text_names:
        found = tuple(by_name.get(normal(name), "") for name in text_names)
        text = found if all(found) else ()
    else:
        text = _texts({key: name for key, name in by_name.items() if name != category})
    return Selection(text=text, category=category, reason=_first(by_name, REASON_COLUMNS, *ANSWERED))


def settled(by_name: Mapping[str, str]) -> list[str]:
    """Return the columns that are known to hold a category, the likeliest first; `by_name` maps normal names."""
    return _known(by_name, CATEGORY_COLUMNS, *ANSWERED, TICKET)


def columns(names: Sequence[str]) -> dict[str, str]:
    """Return each name by its normal form; of two equal ones, the first."""
    return {normal(name): name for name in reversed(names)}


def _texts(by_name: Mapping[str, str]) -> tuple[str, ...]:
    """Return the column of the question; a ticket's is its title and its body."""
    if one := _first(by_name, QUESTION_COLUMNS, *ASKED):
        return (one,)
    ticket = (_first(by_name, TITLE_COLUMNS, *ASKED), _first(by_name, BODY_COLUMNS, *ASKED))
    if any(ticket):
        return tuple(filter(None, ticket))
    one = _first(by_name, QUESTION_CONTAINERS) or _only(by_name, _like(by_name, ASKS))
    return (one,) if one else ()


def _category_like(by_name: Mapping[str, str]) -> str:
    answered = [key for key in by_name if key.endswith(".responses")]
    return (
        _only(by_name, answered)
        or _first(by_name, ANSWER_CONTAINERS)
        or _only(by_name, _like(by_name, SORTS))
        or _first(by_name, WEAK_CATEGORY_COLUMNS, TICKET)
        or _label_of_its_own_name(by_name)
    )


def _label_of_its_own_name(by_name: Mapping[str, str]) -> str:
    """Return the only column of a file of Label Studio that is neither the question nor the program's own."""
    if not {"annotationid", "leadtime"} <= by_name.keys():
        return ""
    asked = set(_texts(by_name))
    return _only(by_name, [key for key, name in by_name.items() if key not in LABEL_STUDIO and name not in asked])


def _like(by_name: Mapping[str, str], words: re.Pattern[str]) -> list[str]:
    return [key for key in by_name if words.search(key) and not ELSE.search(key)]


def _first(by_name: Mapping[str, str], wanted: Sequence[str], *prefixes: str) -> str:
    return next(iter(_known(by_name, wanted, *prefixes)), "")


def _known(by_name: Mapping[str, str], wanted: Sequence[str], *prefixes: str) -> list[str]:
    """Return the names in `wanted`, in its order; then those with a program's prefix, prefix by prefix."""
    found = [by_name[key] for key in wanted if key in by_name]
    for prefix in prefixes:
        bare = {re.sub(f"^{prefix}", "", key): name for key, name in by_name.items() if re.match(prefix, key)}
        found += [bare[key] for key in wanted if key in bare]
    return list(dict.fromkeys(found))


def _only(by_name: Mapping[str, str], keys: Sequence[str]) -> str:
    return by_name[keys[0]] if len(keys) == 1 else ""
