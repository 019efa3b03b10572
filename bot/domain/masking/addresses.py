"""Postal addresses, where words say that they are one: a label before, a move or a delivery after."""

import re

from bot.domain.masking.folded import Mask
from bot.domain.masking.secrets import matches

_LABEL = (
    r"(?:(?:新|旧|現)?住所|居所|(?:自宅|実家)(?:の住所)?|居住地|転居先|引[っ]?越し先|(?:郵送|送付|届け|配送|お届け)先|本籍(?:地)?|郵便番号|〒)"
    r"(?:[\s*_~`|]{0,3}(?:は|が|を|:|;|=|→|⇒|の|、|-)){0,2}[\s*_~`|]{0,3}[「『(（]?"
)
_POSTCODE = r"〒?\s?\d{3}-\d{4}"
_PLACE = r"(?:[^\s、。,\d]{2,30}[都道府県市区町村郡][^\s、。,\d]{0,20}|[^\s、。,\d]{2,20}[市区町村][^\s、。,\d]{0,20})"
_NUMBERS = r"\d{1,4}(?:(?:-|の|丁目|番[地町]?|条(?:西|東|南|北)?|号|線)\s?\d{0,4}){1,5}(?:丁目|番地?|号)?"
_FLOOR = r"[A-Za-z]?-?\d{1,4}(?:号室|号|階|F)?"
_BUILDING = (
    r"(?:\s?[^\s、。,\d]{0,20}(?:マンション|ビル|ハイツ|荘|コーポ|アパート|メゾン|レジデンス|タワー|号室|寮|団地)"
    rf"(?:\s?{_FLOOR}|[^\s、。,\dにへはでが]{{1,8}}\s?{_FLOOR})?"
    r"|\s[^\s、。,\d]{1,20}\s?\d{1,4}(?:号室|号|階|F))?"
)
_JAPANESE_ADDRESS = rf"(?:{_POSTCODE}\s{{0,2}})?{_PLACE}{_NUMBERS}{_BUILDING}"
_TOWN = rf"(?:{_POSTCODE}\s{{0,2}})?{_PLACE}(?<=[町村通区])\d{{1,5}}(?:番地?)?(?!\d|\s?[年月日時分人件回枚個円か])"
"""An address with one number, which many towns have. Only a label makes it one."""
_LABELLED_JAPANESE = re.compile(rf"{_LABEL}(?P<value>{_JAPANESE_ADDRESS}|{_TOWN}|{_POSTCODE}(?!\d))")
_MOVED_JAPANESE = re.compile(
    rf"(?<![^\s、。:「は])(?P<value>{_JAPANESE_ADDRESS})(?=に(?:引[っ]?越|転居|住ん|移[りっ転]|住所)|へ(?:引[っ]?越|転居|移)|宛|在住)"
)
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
    rf"(?<![\w-])(?P<value>(?:{_NUMBER_AND_STREET}|{_POST_BOX})(?:,? (?:[A-Z][\w'.-]{{1,20}},? ?){{0,4}})"
    rf"(?:{_UK_POSTCODE}|[A-Z]{{2}} \d{{5}}(?:-\d{{4}})?)(?![\w-]))"
)
_LABELLED_POSTCODE = re.compile(
    rf"(?i:post ?code|zip(?: code)?|postal code)(?: is|:)? (?P<value>{_UK_POSTCODE}|\d{{5}}(?:-\d{{4}})?)(?![\w-])"
)

_LABEL_SIGNS = ("住", "居", "自宅", "実家", "越し先", "送", "届け先", "本籍", "郵便番号", "〒")
_TOWARDS_SIGNS = ("address", "liv", "mov", "resid", "home", " to")

ADDRESS_MASKS = (
    Mask("[address]", matches(_LABELLED_JAPANESE, "value"), digits=1, signs=_LABEL_SIGNS),
    Mask("[address]", matches(_MOVED_JAPANESE, "value"), digits=1, signs=("越", "居", "住", "移", "宛")),
    Mask("[address]", matches(_POST_MARK, "value"), digits=7),
    Mask("[address]", matches(_WITH_POSTCODE, "value"), digits=3),
    Mask("[address]", matches(_LABELLED_ENGLISH, "value"), digits=1, signs=_TOWARDS_SIGNS),
    Mask("[address]", matches(_LABELLED_POSTCODE, "value"), digits=2, signs=("post", "zip")),
)
