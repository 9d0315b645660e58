"""Is an answer right? By a reference whose end result it shares, or by a column that says so."""

from __future__ import annotations

from ..core.final_answer import final_answer


def truth_of(reference: str | bool | None, text: str) -> bool | None:
    """Whether the text is right: what a truth value says, or whether it ends in the same result; null unknown."""
    if reference is None or isinstance(reference, bool):
        return reference
    return same_end(text, reference) if reference.strip() else None


def same_end(text: str, reference: str) -> bool:
    """Whether two worked answers come to the same result. The way to read it out is one for all texts."""
    end = final_answer(text)
    return bool(end) and end == final_answer(reference)
