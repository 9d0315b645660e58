"""What of a refinement is worth nothing, and where the feedback on an answer is kept."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.stage import Dropped, Row
from .overlap import words_of


def is_degenerate(text: str, original: str, forbidden: Sequence[str]) -> bool:
    """Whether a refinement says nothing, changes no word of the answer, or holds a forbidden text (in any case)."""
    words = words_of(text)
    held = (one.casefold() in text.casefold() for one in forbidden)
    return not words or words == words_of(original) or any(held)


def feedback_of(row: Row, column: str) -> str:
    """The feedback as text, from a column of texts, critiques or answers. Raises Dropped without any."""
    value = row.get(column)
    text = value.get("text") if isinstance(value, dict) else value
    if not text or not str(text).strip():
        raise Dropped("no feedback")
    return str(text).strip()
