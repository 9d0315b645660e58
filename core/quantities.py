"""Numbers and formulas as people and models write them, in a form that can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, final

_SIGN: Final = r"(?P<sign>[-+−–]\s?)?[$€£¥]?\s?(?P<late>[-−])?"
_FRACTION: Final = r"\\[dt]?frac\s*(?:\{(?P<top>-?\d+)\}|(?P<t>\d))\s*(?:\{(?P<bottom>\d+)\}|(?P<b>\d))"
_PLAIN: Final = r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_TEN: Final = r"\s*(?:\\times|\\cdot|×|\*|x)\s*10\s*\^\s*\{?(?P<p>[-+−]?\d{1,3})\}?"
_POWER: Final = rf"(?:[eE](?P<e>[-+]?\d{{1,3}})(?!\w)|{_TEN})?"
_OVER: Final = r"(?:\s*/\s*(?P<over>\d+)(?![\d.]))?"
_MIXED: Final = r"(?P<whole>\d+)\s+(?P<part>\d+)\s*/\s*(?P<of>\d+)(?!\d)"
_NUMBER: Final = re.compile(
    rf"(?<![\w.]){_SIGN}(?:(?P<before>\d+)?{_FRACTION}|{_MIXED}|{_PLAIN}{_POWER}{_OVER})"
    r"(?P<percent>\s*(?:\\?%|percent\b|per cent\b))?"
)
_LONGEST: Final = 400  # characters: what a model babbles on may be longer than Python makes a number of
_GROUPING: Final = re.compile(r"(?<=\d)(?:\{,\}|\\,|\\!)(?=\d{3})")
_DRESS: Final = re.compile(
    r"\\(?:left|right|displaystyle|quad|qquad)(?![a-zA-Z])|\\(?:text|mathrm|mathbf|textbf|mbox)(?=\{)"
    r"|\\[!,;: ]|\^\{?\\circ\}?|\\?\$"
)
_BARE_FRACTION: Final = re.compile(r"\\frac(\d)(\d)")
_BARE_ROOT: Final = re.compile(r"\\sqrt(\d)")
_NAMED: Final = re.compile(r"^[a-zA-Z](?:\([a-zA-Z]\))?(?:=|\\in)")
_WORD: Final = re.compile(r"^\{([^{}]*)\}$")


@final
@dataclass(frozen=True)
class Quantity:
    """An exact number; `percent` when it was written in hundredths (50% has the value 50)."""

    value: Fraction
    percent: bool = False


def quantities(text: str) -> Iterator[Quantity]:
    """The numbers in a text, in order, with their signs, percents and powers of ten; thousands are marked by commas.

    Also a/b, \\frac and 1 1/2, and sums of money. A division by zero, digits inside words and numbers of
    hundreds of digits are none.
    """
    found = (_quantity(match) for match in _NUMBER.finditer(_GROUPING.sub("", text)))
    return (quantity for quantity in found if quantity is not None)


def quantity(text: str) -> Quantity | None:
    """The number a text is; None when it is anything else or more."""
    match = _NUMBER.fullmatch(_GROUPING.sub("", text).strip())
    return _quantity(match) if match else None


def same_quantity(one: Quantity, other: Quantity, tolerance: float = 0.0) -> bool:
    """Whether two numbers differ by at most `tolerance` times the second; 50% is 50 as well as 1/2."""
    pairs = [(one.value, other.value)]
    if one.percent != other.percent:
        pairs.append((one.value / 100, other.value) if one.percent else (one.value, other.value / 100))
    return any(abs(a - b) <= Fraction(tolerance) * abs(b) for a, b in pairs)


def plain_formula(text: str) -> str:
    """A short formula without what does not change it: spacing, sizes of fractions and brackets, `x =`, degrees."""
    bare = _DRESS.sub("", _GROUPING.sub("", text)).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    bare = re.sub(r"\s+", "", bare).rstrip(".,;:")
    bare = _BARE_ROOT.sub(r"\\sqrt{\1}", _BARE_FRACTION.sub(r"\\frac{\1}{\2}", bare))
    bare = _NAMED.sub("", bare)
    return _WORD.sub(r"\1", bare)


def _quantity(match: re.Match[str]) -> Quantity | None:
    value = _value(match) if len(match[0]) <= _LONGEST else None
    if value is None:
        return None
    negative = (match["sign"] or "").strip() in ("-", "−", "–") or bool(match["late"])
    return Quantity(-value if negative else value, bool(match["percent"]))


def _value(match: re.Match[str]) -> Fraction | None:
    if match["whole"]:
        of = int(match["of"])
        return int(match["whole"]) + Fraction(int(match["part"]), of) if of else None
    if match["top"] or match["t"]:
        bottom = int(match["bottom"] or match["b"])
        part = Fraction(int(match["top"] or match["t"]), bottom) if bottom else None
        return part if part is None or not match["before"] else int(match["before"]) + part
    value = Fraction(match["digits"].replace(",", ""))
    power = (match["e"] or match["p"] or "0").replace("−", "-")
    over = int(match["over"] or 1)
    return value * Fraction(10) ** int(power) / over if over else None
