"""Postal addresses, where words say that they are one: a label before, a move or a delivery after."""

import re
from collections.abc import Iterator

from bot.domain.masking.folded import Mask, Stretch
from bot.domain.masking.secrets import matches

_LABEL = (
    r"(?:(?:新|旧|現)?住所|居所|(?:自宅|実家)(?:の住所)?|居住地|転居先|引[っ]?越し先|(?:郵送|送付|届け|配送|お届け)先|本籍(?:地)?|郵便番号|〒)"
    r"(?:[\s*_~`|]{0,3}(?:は|が|を|:|;|=|→|⇒|の|、|-)){0,2}[\s*_~`|]{0,3}[「『(（]?"
)
_POSTCODE = r"〒?\s?\d{3}-\d{4}"
_PLACE = r"(?:[^\s、。,\d]{2,30}[都道府県市区町村郡][^\s、。,\d]{0,20}|[^\s、。,\d]{2,20}[市区町村][^\s、。,\d]{0,20})"
_NUMBERS = r"\d{1,4}(?:(?:-|の|丁目|番[地町]?|条(?:西|東|南|北)?|号|線)\s?\d{0,4}){1,5}(?:丁目|番地?|号)?"
_KANJI = r"[〇一二三四五六七八九十百\d]{1,4}"
_KANJI_NUMBERS = (
    rf"(?:{_KANJI}(?:丁目|番地)(?:{_KANJI}(?:番地?|の|-|号)?){{0,3}}"
    rf"|{_KANJI}(?:の|番|-){_KANJI}(?:(?:の|番|-){_KANJI}){{0,2}}号?)"
)
_FLOOR = r"[A-Za-z]?-?\d{1,4}(?:号室|号|階|F)?"
_BUILDING = (
    r"(?:\s?[^\s、。,\d]{0,20}(?:マンション|ビル|ハイツ|荘|コーポ|アパート|メゾン|レジデンス|タワー|号室|寮|団地)"
    rf"(?:\s?{_FLOOR}|[^\s、。,\dにへはでが]{{1,8}}\s?{_FLOOR})?"
    r"|\s[^\s、。,\d]{1,20}\s?\d{1,4}(?:号室|号|階|F))?"
)
_JAPANESE_ADDRESS = rf"(?:{_POSTCODE}\s{{0,2}})?{_PLACE}(?:{_NUMBERS}|{_KANJI_NUMBERS}){_BUILDING}"
_AREA = (
    rf"(?:{_POSTCODE}\s{{0,2}})?"
    r"(?:[^\s、。,\dのはがをに]{1,3}[都道府県][^\s、。,\dのはがをに]{1,10}[市区町村郡]|[^\s、。,\dのはがを]{1,10}市[^\s、。,\dのはがを]{1,6}区)"
    r"(?!(?:役所|本社|支社|支店|本店|営業所|事業所|工場|庁舎|内|外|全域|周辺|方面|勤務|在住|出身|以外|在勤))"
    rf"[々ヶケノァ-ヴー一-龥]{{2,12}}{_BUILDING}"
)
"""A town below a city or a ward. Only a label makes it an address."""
_TOWN = rf"(?:{_POSTCODE}\s{{0,2}})?{_PLACE}(?<=[町村通区])\d{{1,5}}(?:番地?)?(?!\d|\s?[年月日時分人件回枚個円か])"
"""An address with one number, which many towns have. Only a label makes it one."""
_LABELLED_JAPANESE = re.compile(rf"{_LABEL}(?P<value>{_JAPANESE_ADDRESS}|{_TOWN}|{_AREA}|{_POSTCODE}(?!\d))")
_MOVED_JAPANESE = re.compile(
    rf"(?<![^\s、。:「は])(?P<value>{_JAPANESE_ADDRESS})(?=に(?:引[っ]?越|転居|住ん|移[りっ転]|住所)|へ(?:引[っ]?越|転居|移)|宛|在住)"
)
_WORD = r"(?:[A-ZÀ-Þ][\w'’-]{0,24}|[A-Z][a-z]{0,2}\.)"
_UNIT = r"(?:\d{1,5}[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?|#\d{1,5}[A-Za-z]?)"
_SMALL = r"(?:(?:of|de|du|la|le|am|an|der|the|on|upon|in|rue|via|calle|rua) ){1,3}"
_PART = rf"(?:{_UNIT}|{_WORD})(?:,? (?:{_UNIT}|{_WORD}|{_SMALL}{_WORD})(?![\w/])){{1,14}}"
_SAID_ADDRESS = re.compile(
    r"(?<![\w-])(?:(?i:(?:(?:my|our|his|her|their|home|new|old|current|mailing|postal|street|shipping|billing"
    r"|delivery|residential|permanent|private) ){1,3}address(?: is| was| has changed to| changed to)?)"
    r"|(?<![A-Za-z] )(?i:address)(?= ?:)"
    r"|(?i:(?:I|we|she|he|they)(?:'ve| have)?(?: now)? (?:live[sd]? at|(?:just )?moved to)))"
    rf"[:*_`-]{{0,3}} [*_`-]{{0,2}} ?(?P<value>{_PART})"
)
"""An address without a word for a street, behind words that say that it is one."""
_HAS_NUMBER, _HAS_NAME = re.compile(r"\d"), re.compile(r"[A-Z][a-z]")
_WITHIN = re.compile(r"\b(?:Room|Floor|Building|Team|Desk|Level|Meeting|Office|Q[1-4])\b")
_POST_MARK = re.compile(r"(?P<value>〒\s?\d{3}-\d{4}(?!\d))")

_STREET = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Way|Court|Ct|Place|Pl|Square|Sq|Boulevard|Blvd|Terrace|Close|"
    r"Loop|Trail|Circle|Cir|Plaza|Quay|Walk|Rise|Crescent|Gardens|Hill|Row|Highway|Hwy|Parkway|Pkwy|Mews|Grove)"
)
_UK_POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
_ZIP = r"(?:[A-Z]{2} )?\d{5}(?:-\d{4})?"
_NUMBER_AND_STREET = (
    rf"(?:(?:Flat|Apt|Apartment|Unit|Suite)\.? ?\w{{1,6}},? )?"
    rf"\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,4}})? (?:[A-Z0-9][\w'.]{{0,20}} ){{1,4}}{_STREET}\b\.?"
    r"(?: (?:NW|NE|SW|SE|N|S|E|W)\b)?"
)
_NUMBER_AND_NAME = r"\d{1,5}[A-Za-z]? (?:[A-Z][\w'.]{1,20} ?){1,4}(?=,)"
_POST_BOX = r"(?:P\.? ?O\.? ?|Post Office )Box ?#? ?\d{1,7}"
_REST = (
    r"(?:,? ?(?:Apt|Apartment|Flat|Unit|Suite|#)\.? ?\w{1,6})?"
    rf"(?:,? ?(?:[A-Z][\w'.-]{{1,20}} ?){{1,3}})?(?:,? ?(?:{_UK_POSTCODE}|{_ZIP})(?![\w-]))?"
)
_TOWARDS = (
    r"(?:(?i:address(?: is| was|:| changed to)?|live[sd]? (?:at|in)|living (?:at|in)|moved? to|moving to"
    r"|resid(?:e|ing) at|home is|home:"
    r"|(?:ship|send|mail|deliver|post)(?:ed)? (?:it |this |them )?to|relocat(?:ed|ing) to))"
)
_LABELLED_ENGLISH = re.compile(
    rf"{_TOWARDS}[:*_`-]{{0,3}} [*_`-]{{0,2}} ?(?P<value>(?:{_NUMBER_AND_STREET}|{_POST_BOX}){_REST})"
)
_WITH_POSTCODE = re.compile(
    rf"(?<![\w-])(?P<value>(?:{_NUMBER_AND_STREET}|{_POST_BOX}|{_NUMBER_AND_NAME})"
    rf"(?:,? (?:[A-Z][\w'.-]{{1,20}},? ?){{0,4}})"
    rf"(?:{_UK_POSTCODE}|[A-Z]{{2}} \d{{5}}(?:-\d{{4}})?)(?![\w-]))"
)
_LABELLED_POSTCODE = re.compile(
    rf"(?i:post ?code|zip(?: code)?|postal code)(?: is|:)? (?P<value>{_UK_POSTCODE}|\d{{5}}(?:-\d{{4}})?)(?![\w-])"
)

_LABEL_SIGNS = ("住", "居", "自宅", "実家", "越し先", "送", "届け先", "本籍", "郵便番号", "〒")
_TOWARDS_SIGNS = ("address", "liv", "mov", "resid", "home", " to")


def said(folded: str) -> Iterator[Stretch]:
    """Return what is said to be somebody's address: names with a number, but no place within the office."""
    for found in _SAID_ADDRESS.finditer(folded):
        value, label = found["value"], folded[found.start() : found.start("value")]
        if "address" not in label.lower() and not (value[0].isdigit() or "," in value):
            continue  # people also move to a Sprint 14
        if _HAS_NUMBER.search(value) and _HAS_NAME.search(value) and not _WITHIN.search(value):
            yield Stretch(found.start("value"), found.end("value"))


ADDRESS_MASKS = (
    Mask("[address]", matches(_LABELLED_JAPANESE, "value"), signs=_LABEL_SIGNS),
    Mask("[address]", matches(_MOVED_JAPANESE, "value"), signs=("越", "居", "住", "移", "宛")),
    Mask("[address]", matches(_POST_MARK, "value"), digits=7),
    Mask("[address]", matches(_WITH_POSTCODE, "value"), digits=3),
    Mask("[address]", matches(_LABELLED_ENGLISH, "value"), digits=1, signs=_TOWARDS_SIGNS),
    Mask("[address]", said, digits=1, signs=("address", "live", "moved")),
    Mask("[address]", matches(_LABELLED_POSTCODE, "value"), digits=2, signs=("post", "zip")),
)
