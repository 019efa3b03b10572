"""The columns that hold question, category and reason, under the names that people and programs give them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from bot.domain.thing import Thing

QUESTION_COLUMNS = (
    *("text", "question", "質問", "本文", "質問内容", "ご質問", "ご質問内容", "質問文", "問い合わせ", "お問い合わせ"),
    *("問い合わせ内容", "お問い合わせ内容", "問合せ内容", "相談内容", "ご相談内容", "utterance", "query", "prompt"),
    *("message", "content", "内容"),
)
BODY_COLUMNS = ("description", "説明", "詳細", "body", "詳細説明")
TITLE_COLUMNS = ("subject", "件名", "summary", "要約", "shortdescription", "簡単な説明", "title", "タイトル", "概要")
QUESTION_CONTAINERS = ("inputs", "input", "data", "fields")
"""Names under which programs put all fields of a question."""
CATEGORY_COLUMNS = (
    *("category", "categories", "label", "カテゴリー", "カテゴリ", "分類", "annotation", "choice", "intent", "class"),
    *("component/s", "components", "コンポーネント", "labels", "ラベル", "種別", "問い合わせ種別", "区分"),
    *("assignmentgroup", "アサイン先グループ", "アサイングループ", "担当グループ", "担当部署", "担当", "group"),
    *("グループ", "team", "チーム", "department", "部署", "requesttype", "リクエストタイプ", "issuetype", "課題タイプ"),
)
ANSWER_CONTAINERS = ("outputs", "output", "referenceoutputs", "responses", "annotations")
"""Names under which programs put all fields of an answer."""
REASON_COLUMNS = ("reason", "理由", "rationale")
ASKS = re.compile("質問|問い合わせ|問合せ|相談|困りごと|お困り|question|inquiry")
SORTS = re.compile("カテゴリ|分類|種別|担当|category|department")
"""Words in the names that people give the questions of a form."""
DECORATION = re.compile(r"\((?:必須|任意|required|optional)\)|[\s_\-*:\ufeff]+")


class Selection(Thing):
    """The chosen columns, by name; empty where there is none."""

    text: tuple[str, ...] = ()
    category: str = ""
    reason: str = ""


def normal(name: str) -> str:
    """Return a column's name without case, width and decoration."""
    return DECORATION.sub("", unicodedata.normalize("NFKC", name).casefold())


@lru_cache(maxsize=256)
def select(names: tuple[str, ...], text_names: tuple[str, ...] = (), category_name: str = "") -> Selection:
    """Choose among the names of a header or a record; what a person named comes before what is known."""
    by_name = {normal(name): name for name in reversed(names)}
    if category_name:
        category = by_name.get(normal(category_name), "")
    else:
        category = _first(by_name, CATEGORY_COLUMNS, r"(?:reference)?outputs?\.?") or _category_like(by_name)
    if text_names:
        found = tuple(by_name.get(normal(name), "") for name in text_names)
        text = found if all(found) else ()
    else:
        text = _texts({key: name for key, name in by_name.items() if name != category})
    return Selection(text=text, category=category, reason=_first(by_name, REASON_COLUMNS, r"(?:reference)?outputs?\.?"))


def _texts(by_name: Mapping[str, str]) -> tuple[str, ...]:
    """Return the column of the question; a ticket's is its title and its body."""
    prefix = r"inputs?\.?"
    if one := _first(by_name, QUESTION_COLUMNS, prefix):
        return (one,)
    ticket = (_first(by_name, TITLE_COLUMNS, prefix), _first(by_name, BODY_COLUMNS, prefix))
    if any(ticket):
        return tuple(filter(None, ticket))
    one = _first(by_name, QUESTION_CONTAINERS, "") or _only(by_name, [key for key in by_name if ASKS.search(key)])
    return (one,) if one else ()


def _category_like(by_name: Mapping[str, str]) -> str:
    answered = [key for key in by_name if key.endswith(".responses")]
    named = [key for key in by_name if SORTS.search(key)]
    return _only(by_name, answered) or _first(by_name, ANSWER_CONTAINERS, "") or _only(by_name, named)


def _first(by_name: Mapping[str, str], wanted: Sequence[str], prefix: str) -> str:
    """Return the name that comes first in `wanted`; one with a program's prefix counts too."""
    bare = {re.sub(f"^{prefix}", "", key): name for key, name in by_name.items()} if prefix else {}
    return next((names[key] for names in (by_name, bare) for key in wanted if key in names), "")


def _only(by_name: Mapping[str, str], keys: Sequence[str]) -> str:
    return by_name[keys[0]] if len(keys) == 1 else ""
