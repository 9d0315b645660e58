"""What of a refinement is worth nothing, and where the feedback on an answer is kept."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.stage import Dropped, Row
from .overlap import words_of
from .verifiers_code import python_in


def is_degenerate(text: str, original: str, forbidden: Sequence[str], code: bool = False) -> bool:
    """Whether a refinement says nothing, changes no word (of code: nothing but space), or holds a forbidden text."""
    held = any(one.casefold() in text.casefold() for one in forbidden)
    if code:
        one, other = ((python_in(program) or program).split() for program in (text, original))
    else:
        one, other = words_of(text), words_of(original)
    return held or not one or one == other


def feedback_of(row: Row, column: str) -> str:
    """The feedback as text, from a column of texts, critiques or answers. Raises Dropped without any."""
    value = row.get(column)
    text = value.get("text") if isinstance(value, dict) else value
    if not text or not str(text).strip():
        raise Dropped("no feedback")
    return str(text).strip()
