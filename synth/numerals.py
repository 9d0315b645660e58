"""Numbers in a text, and another number of the same format for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Final, final

from .lexicon import KNOWN, NUMBER_WORDS, UNITS
from .steplists import marker_spans

_DIGITS = re.compile(
    r"(?<![\w.,:/^])(?<![^\W\d_]-)"
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.[0-9]{1,6})?"
    r"(?:st|nd|rd|th|s)?(?=(?:k?g|[kcmµ]?m|m?l|mg|[hsxKCFVWJN])?(?:\W|\Z))"
    r"(?!:[0-9]|/[0-9]|[.,][0-9]|\^)"
)
_OPAQUE = re.compile(r"https?://\S+|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b|(?<![0-9])[0-9]+(?:-[0-9]+){2,}")
_WORDS = re.compile(
    rf"(?<![\w-])(?:{'|'.join(word for group in NUMBER_WORDS for word in group)})(?![\w-])",
    re.IGNORECASE,
)
_MONTHS: Final = "|".join(KNOWN["month"])
_SUFFIX = re.compile(r"(st|nd|rd|th|s)$")
_FIRST_YEAR: Final = 1000
_LAST_YEAR: Final = 2025


@final
@dataclass(frozen=True)
class Numeral:
    """A number as written, where it starts, and what it is.

    Roles: `plain`, `percent`, `year`, `decade` (1990s), `day` (of a month), `ordinal`, `word`.
    `direction` is the way it may move: -1 for the low end of a range such as 10-15, 1 for the high
    end, else 0.
    """

    start: int
    text: str
    role: str
    direction: int = 0


def find_numerals(text: str) -> list[Numeral]:
    """The numbers of `text` that stand for a quantity or a date, in order.

    List numbers, clock times, versions, fractions, web addresses and identifiers are left alone.
    """
    opaque = [match.span() for match in _OPAQUE.finditer(text)] + marker_spans(text)
    closed = {place for start, end in opaque for place in range(start, end)}
    found = [
        Numeral(match.start(), match.group(), role, _direction(text, match))
        for match in _DIGITS.finditer(text)
        if match.start() not in closed and (role := _role(text, match))
    ]
    return found or [Numeral(m.start(), m.group(), "word") for m in _WORDS.finditer(text)]


def replacement(numeral: Numeral, rng: Random) -> str | None:
    """Another number of the same role and format, or None where no plausible one exists."""
    digits = _SUFFIX.sub("", numeral.text)
    match numeral.role:
        case "word":
            return _other_word(numeral.text, rng)
        case "year":
            return str(_moved_year(int(digits), rng.randint(2, 25), rng, numeral.direction))
        case "day":
            return str(rng.choice([day for day in range(1, 29) if day != int(digits)]))
        case "decade":
            return f"{_moved_year(int(digits), 10 * rng.randint(1, 3), rng, 0)}s"
        case "ordinal":
            value = int(digits) + rng.randint(1, 3) * (1 if int(digits) < 5 else -1)
            return f"{value}{_ordinal_ending(value)}"
        case _:
            return _other_quantity(digits, numeral, rng)


def _role(text: str, match: re.Match[str]) -> str | None:
    token, after = match.group(), text[match.end() : match.end() + 12]
    digits = _SUFFIX.sub("", token)
    ending = token[len(digits) :]
    if (digits[0] == "0" and digits[1:2].isdigit()) or digits == "1" and not ending:
        return None
    if ending:
        whole = digits.isdigit()
        if ending == "s":
            return "decade" if whole and len(digits) == 4 and digits[3] == "0" else None
        return "ordinal" if whole and _ordinal_ending(int(digits)) == ending else None
    if re.match(r"\s?(?:%|percent\b|per cent\b)", after):
        return "percent"
    if _is_day(digits, text[max(0, match.start() - 10) : match.start()], after):
        return "day"
    if _is_year(digits, text[max(0, match.start() - 1) : match.start()], after):
        return "year"
    return "plain"


def _direction(text: str, match: re.Match[str]) -> int:
    if re.match(r"[-–][0-9]", text[match.end() : match.end() + 2]):
        return -1
    before = text[max(0, match.start() - 2) : match.start()]
    return 1 if re.fullmatch(r"[0-9][-–]", before) else 0


def _is_day(digits: str, before: str, after: str) -> bool:
    dated = re.match(rf"\s(?:{_MONTHS})\b", after) or re.search(rf"\b(?:{_MONTHS})\s\Z", before)
    return dated is not None and digits.isdigit() and int(digits) <= 31


def _is_year(digits: str, before: str, after: str) -> bool:
    if not re.fullmatch(r"[12][0-9]{3}", digits) or int(digits) > _LAST_YEAR:
        return False
    unit = re.match(r"\s?([^\W\d_]+|[°%*/+×÷=])", after)
    operator = unit is not None and not unit[1].isalpha()
    return not (before in "$£€" and before) and not operator and (not unit or unit[1] not in UNITS)


def _moved_year(year: int, by: int, rng: Random, direction: int) -> int:
    later = direction > 0 or (direction == 0 and rng.random() < 0.5)
    if year - by < _FIRST_YEAR or (later and year + by <= _LAST_YEAR):
        return year + by
    return year - by


def _other_quantity(digits: str, numeral: Numeral, rng: Random) -> str | None:
    whole, _, decimals = digits.replace(",", "").partition(".")
    places = len(decimals)
    scaled, unit = int(whole + decimals), 1
    while not places and unit < scaled and scaled % (unit * 10) == 0 and scaled // unit >= 100:
        unit *= 10
    value = _moved(scaled // unit, rng, numeral.direction)
    if value is None:
        return None
    value *= unit
    if numeral.role == "percent" and scaled <= 100 * 10**places < value:
        if numeral.direction > 0:
            return None
        value = scaled - min(value - scaled, scaled // 2)
    return _written(value, places, "," in digits)


def _moved(value: int, rng: Random, direction: int) -> int | None:
    """`value` moved by 1 to 3 when small, else by 15 to 60 %; never to 0, nor to a singular 1."""
    least, most = (1, 3) if value <= 10 else (max(1, value * 15 // 100), value * 6 // 10)
    by = rng.randint(least, most)
    down = direction < 0 or (direction == 0 and rng.random() < 0.5)
    if down and value - by >= 2:
        return value - by
    if direction < 0:
        return 2 if value > 2 else None
    return max(value + by, 2)


def _written(value: int, places: int, grouped: bool) -> str:
    whole, decimals = divmod(value, 10**places)
    body = f"{whole:,}" if grouped else str(whole)
    return f"{body}.{decimals:0{places}d}" if places else body


def _ordinal_ending(value: int) -> str:
    if value % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


def _other_word(word: str, rng: Random) -> str | None:
    for group in NUMBER_WORDS:
        if word.lower() in group:
            at = group.index(word.lower())
            other = rng.choice([n for i, n in enumerate(group) if i != at and abs(i - at) <= 3])
            return other.capitalize() if word[0].isupper() else other
    return None
