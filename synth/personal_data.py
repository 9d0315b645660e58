"""Personal data that has a form of its own: found in a text, and taken out of it."""

from __future__ import annotations

import re
from typing import Final

_FORMS: Final = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("card", re.compile(r"\b\d(?:[ -]?\d){12,18}\b")),
    ("social security number", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
    ("ip address", re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")),
    ("phone", re.compile(r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){2,4}(?![\w-])")),
    ("handle", re.compile(r"(?<![\w@/.])@[A-Za-z_]\w{2,}")),
)
_PHONE_DIGITS: Final = range(9, 16)


def personal_data(text: str) -> list[tuple[str, str]]:
    """(kind, text) of what looks like personal data, in order: mail and IP addresses, phone, card, account and
    social security numbers, handles. Names and places have no form and are not found.
    """
    return [(kind, text[start:end]) for start, end, kind in _found(text)]


def without_personal_data(text: str) -> str:
    """The text with each find replaced by its kind in brackets."""
    for start, end, kind in reversed(_found(text)):
        text = f"{text[:start]}[{kind}]{text[end:]}"
    return text


def _found(text: str) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for kind, form in _FORMS:
        for match in form.finditer(text):
            free = all(match.end() <= start or match.start() >= end for start, end, _ in found)
            if free and _is_one(kind, match.group()):
                found.append((match.start(), match.end(), kind))
    return sorted(found)


def _is_one(kind: str, text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if kind == "phone":
        return len(digits) in _PHONE_DIGITS
    return _luhn(digits) if kind == "card" else True


def _luhn(digits: list[int]) -> bool:
    """The check digit of payment cards (Luhn, ISO/IEC 7812)."""
    doubled = (sum(divmod(2 * d, 10)) if place % 2 else d for place, d in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0
