"""From what a judge wrote to a score on a scale."""

from __future__ import annotations

import re
from typing import Final

from .replies import json_or_none, reader_of
from .verdict import Reader

_NUMBER: Final = r"[-+]?\d+(?:[.,]\d+)?"
_NAMES: Final = r"score|rating|grade|overall|points?|mark|评分|分数|得分|総合評価"
_STRICT: Final = re.compile(rf"(?:\[\[|\[|【|\\boxed\{{|<score>)\s*({_NUMBER})\s*(?:/\s*\d+\s*)?(?:\]|】|\}}|</score>)")
_ALONE: Final = re.compile(rf"\W{{0,4}}?({_NUMBER})(?:\s*/\s*({_NUMBER}))?\W{{0,4}}")
_LABELLED: Final = re.compile(
    rf"\W{{0,4}}(?i:(?:my |the |final )*(?:{_NAMES}))[\s*_]*[:=]\W{{0,4}}?({_NUMBER})"
    rf"(?:\s*/\s*({_NUMBER}))?\W{{0,4}}"
)
_FRACTION: Final = re.compile(rf"({_NUMBER})\s*(?:/|out of|von|sur|de)\s*({_NUMBER})")
_NAMED: Final = re.compile(rf"(?i:\b(?:{_NAMES}))[^\d\n+-]{{0,24}}?({_NUMBER})(?!\s*[-–]\s*\d)")
_ANY: Final = re.compile(rf"(?<![\w.]){_NUMBER}(?!\w)")


def read_score(low: float, high: float) -> Reader:
    """A number in [low, high]; off_scale when what stands for the score lies outside.

    Forms, strictest first: `[[7]]`; JSON under a name such as score; the number alone, or a last line
    `score: 7`; `7/10`, `7 out of 10`, `score: 7`; the last number on the scale. A fraction of
    another whole is off the scale.
    """

    def strictly(text: str) -> float | None:
        if found := _STRICT.findall(text):
            return _float(found[-1])
        number = _number_in_json(text)
        return number if number is not None else _of(_ALONE.fullmatch(text.strip()), high)

    def firmly(text: str) -> float | None:
        return _of(_LABELLED.fullmatch(text.strip().rpartition("\n")[2].strip()), high)

    def loosely(text: str) -> float | None:
        for form in (_FRACTION, _NAMED):
            if found := list(form.finditer(text)):
                return _of(found[-1], high)
        numbers = [_float(number) for number in _ANY.findall(text)]
        inside = [number for number in numbers if low <= number <= high]
        return (inside or numbers)[-1] if numbers else None

    return reader_of(strictly, loosely, lambda value: low <= value <= high, firmly)


def _of(found: re.Match[str] | None, high: float) -> float | None:
    """The number found; not a number when it is a fraction of another whole than `high`."""
    if found is None:
        return None
    whole = found[2] if found.re.groups == 2 else None
    return _float(found[1]) if not whole or _float(whole) == high else float("nan")


def _number_in_json(text: str) -> float | None:
    value = json_or_none(text)
    for name, item in value.items() if isinstance(value, dict) else ():
        if re.search(_NAMES, str(name), re.IGNORECASE) and not isinstance(item, bool):
            number = re.fullmatch(_NUMBER, str(item).strip())
            if number:
                return _float(number[0])
    return None


def _float(number: str) -> float:
    return float(number.replace(",", "."))
