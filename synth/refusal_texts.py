"""Ways to say that one does not know, and the signs that an answer says so."""

from __future__ import annotations

import re
from typing import Final

from ..core.paid import Reply
from ..models.replies import is_refusal

REFUSALS: Final = (
    "I don't know the answer to this.",
    "I'm not sure, so I would rather not guess.",
    "I do not have reliable knowledge of this.",
    "This is beyond what I can say with confidence.",
    "I can't answer this correctly, I'm afraid.",
    "I don't know. I would have to look it up.",
    "Sorry, I don't know enough about this to answer.",
    "I am not certain, and a guess could mislead you.",
    "I cannot give you a reliable answer here.",
    "That is something I don't know.",
    "I would only be guessing, so I'd better not answer.",
    "I lack the knowledge to answer this well.",
    "I'm unsure about this one and can't say.",
    "My knowledge does not reach that far.",
    "I have to pass: I do not know.",
    "I can't work this out reliably.",
    "I don't have an answer I could stand behind.",
    "Honestly, I don't know.",
    "I can't tell you that with any certainty.",
    "This one I am not able to answer.",
    "I do not know, and I don't want to make something up.",
    "I'm afraid I don't know. A good source would help you more than I can.",
    "No answer of mine to this would be trustworthy.",
    "I would be making it up if I answered this.",
)
"""Refusals for want of knowledge, many, so that no single string gives a refusal away."""

_WORDS: Final = 60
_UNSURE: Final = re.compile(
    r"\b(?:i|we) (?:really |honestly |just |simply )?(?:do not|don't|can(?:no|')t) (?:know|say|tell|answer|work)\b"
    r"|\bi(?:'m| am) (?:not (?:sure|certain|able)|unsure)\b"
    r"|\bi (?:have no idea|do not have|don't have|lack|would only)\b"
    r"|\bbeyond (?:what i|my knowledge)|\bmy knowledge does not\b",
    re.IGNORECASE,
)


def declines(text: str) -> bool:
    """Whether a short answer declines or says that it does not know."""
    plain = text.replace("’", "'")
    if plain.strip() in REFUSALS or is_refusal(Reply(plain)):
        return True
    return len(plain.split()) <= _WORDS and _UNSURE.search(plain) is not None
