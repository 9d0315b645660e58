"""Text made safe for a Markdown page."""

from __future__ import annotations

import html
import re
from typing import Any, Final, final

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|~<>])")
_BACKTICKS: Final = re.compile(r"`+")


@final
class Verbatim(str):
    """Text that is Markdown already and goes into the page as it is."""


def escape(value: Any) -> str:
    """Any value as one line of plain Markdown text: no markup, table cell or HTML survives."""
    if isinstance(value, Verbatim):
        return value
    line = " ".join(str(value).split())
    return html.escape(_SPECIAL.sub(r"\\\1", line), quote=False).replace("\\&lt;", "&lt;").replace("\\&gt;", "&gt;")


def fenced(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any run of backticks inside it."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
