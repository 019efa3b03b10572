"""Hypothesis strategies: real payloads with one to four places changed."""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.kits.deep_json import DEEP, deep_objects

Json = dict[str, Any]
Path = tuple[str | int, ...]
Sample = tuple[str, Json]
"""The destination of a payload, and the payload."""
MOST_STEPS = 20
"""Longest path of a value that is changed."""
ODD_TEXTS = (
    "",
    "\0",
    "\ud83d",
    "<!channel> <@U0ADMIN0001> <https://evil.example|hr>",
    "\u202eevil\u200b\u2066",
    "../../etc/passwd",
    "http://[",
    "https://user:pass@[::1",
    "-1",
    "9" * 400,
    "1790000000.000100",
    "1e309",
    "{}",
    "[]",
    "null",
    '{"q":"x","s":0,"c":"it"}',
    "%s%n{0}{x}",
    "a" * 50_000,
    "U0ADMIN0001",
    "C0HELPDESK1",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(ODD_TEXTS)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
DEEP_VALUES = st.sampled_from([DEEP[150], deep_objects(150), DEEP[900]]).map(json.loads)


class Samples(list[Sample]):
    """Payloads that Hypothesis does not print."""

    def __repr__(self) -> str:
        return f"<{len(self)} samples>"


def paths_of(value: Any, before: Path = ()) -> Iterator[Path]:
    """Yield the path of each value within a value, the outermost first."""
    if before:
        yield before
    if len(before) > MOST_STEPS:
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_of(inner, (*before, key))


@st.composite
def changed(draw: st.DrawFn, samples: Sequence[Sample]) -> Sample:
    """Draw one of the samples with some of its values replaced, left out or doubled."""
    label, sample = draw(st.sampled_from(list(samples)))
    value = copy.deepcopy(sample)
    for _ in range(draw(st.integers(1, 4))):
        paths = list(paths_of(value))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        holder: Any = value
        for key in path[:-1]:
            holder = holder[key]
        kind = draw(st.sampled_from(("replace", "replace", "text", "remove", "deep", "double")))
        if kind == "remove":
            del holder[path[-1]]
        elif kind == "double":
            holder[path[-1]] = [copy.deepcopy(holder[path[-1]])] * 2
        else:
            holder[path[-1]] = draw({"deep": DEEP_VALUES, "text": st.sampled_from(ODD_TEXTS)}.get(kind, VALUES))
    return label, value
