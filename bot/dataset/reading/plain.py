"""HTML and entities as the text that people see."""

import html
import re

HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
BREAKS = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6]|blockquote|pre)\s*>", re.IGNORECASE)
CELL_ENDS = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
TAGS = re.compile(
    r"</?(?:a|b|blockquote|body|br|code|div|em|font|h[1-6]|head|hr|html|i|img|li|meta|ol|p|pre|s|small|span|strong|sub"
    r"|sup|table|tbody|td|th|thead|tr|u|ul|o:p|v:\w+|w:\w+)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
"""Tags by name, for what stands between angle brackets may be something else: `List<String>`, `a < b`."""
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)


def plain(text: str) -> str:
    """Return a text without HTML, each block on lines of its own."""
    if "<" in text and ">" in text:
        text = HIDDEN.sub("", text) if re.search(r"</|<!--", text) else text
        text = TAGS.sub("", BREAKS.sub("\n", CELL_ENDS.sub(" ", text)))
    if "&" in text:
        text = ENTITY.sub(lambda found: html.unescape(found[0]), text).replace("\xa0", " ")
    return text.strip()
