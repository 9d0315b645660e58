"""How an English answer opens that declines the request: patterns in RE2's syntax."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .reasons import numpy_of

SPAN: Final = 200
"""Characters of an answer looked at: a refusal stands at its head."""

_SORRY = (
    r"(?:(?:i['’]m|i am) (?:very |so |truly |really |terribly )?sorry|sorry|(?:my )?apologies"
    r"|i (?:sincerely )?apologi[sz]e|i regret)"
)
_CANNOT = (
    r"i(?:(?:['’]m| am) (?:not able|unable|not going|not comfortable|not programmed|not allowed)"
    r"| (?:can['’]?t|cannot|can not|won['’]t|will not|must (?:respectfully )?(?:decline|refuse)"
    r"|have to (?:decline|refuse)|(?:respectfully )?(?:decline|refuse)|do(?:n['’]t| not) feel comfortable))\b"
)
_MODEL = r"as an? (?:\w+ )?(?:ai|artificial intelligence|language model|virtual assistant)\b"
_DEED = (
    r"(?:help|assist|comply|fulfil?l|engage|participate|support|condone|provide|create|write|generate"
    r"|offer|discuss|answer|do that|do this|share|give you|tell you|recommend)\b"
)
REFUSALS: Final = (
    rf"^\W*{_SORRY}\b[^.!?\n]{{0,60}}?\b{_CANNOT}",
    rf"^\W*{_SORRY}\W{{1,4}}{_CANNOT}",
    rf"^\W*{_MODEL}[^.!?\n]{{0,60}}?\b{_CANNOT}",
    rf"^\W*(?:unfortunately|no|however)?\W{{0,3}}{_CANNOT} (?:to )?{_DEED}",
    r"^\W*(?:unfortunately\W{1,3})?(?:this|that|your) (?:request|question|prompt) (?:violates|(?:is|goes) against)\b",
)
"""Openings of refusals, matched without regard to case."""


def refuses(text: pa.Array, patterns: tuple[str, ...] = REFUSALS) -> np.ndarray:
    """bool [n]: one of the patterns matches within the first `SPAN` characters; null does not.

    Raises pyarrow.ArrowInvalid for a pattern that RE2 does not take.
    """
    if not patterns:
        return np.zeros(len(text), bool)
    head = pc.utf8_slice_codeunits(text, 0, SPAN)
    either = "(?i)(?:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")"
    return numpy_of(pc.fill_null(pc.match_substring_regex(head, either), False))
