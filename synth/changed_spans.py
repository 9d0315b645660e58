"""Where a revised text differs from what it revises, as character spans."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from ..core.stage import Row

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


def changed_spans(before: str, after: str) -> list[Row]:
    """Half-open ranges of `after` that are new, as a `spans` value; kind changed or added, comment what was there.

    Compared word by word, punctuation as words; what was only taken out has no place in `after` and no span.
    """
    was, now = list(_TOKEN.finditer(before)), list(_TOKEN.finditer(after))
    matcher = SequenceMatcher(None, [m.group() for m in was], [m.group() for m in now], autojunk=False)
    spans: list[Row] = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag in ("replace", "insert"):
            gone = before[was[i].start() : was[i_end - 1].end()] if i_end > i else None
            kind = "changed" if gone else "added"
            place = {"start": now[j].start(), "end": now[j_end - 1].end()}
            spans.append({**place, "kind": kind, "severity": None, "comment": gone})
    return spans
