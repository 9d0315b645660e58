"""What a preference label says: the first answer, the second, or a tie."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pyarrow as pa

Meaning = Literal["auto", "one_two", "zero_one", "first_wins", "sign"]
FIRST: Final = 0
SECOND: Final = 1
TIE: Final = 2
UNKNOWN: Final = -1

_BY_NAME: Final[dict[str, Meaning]] = {
    "overall_preference": "sign", "preference_strength": "sign", "better_response_id": "zero_one",
    "labels": "first_wins", "label_0": "first_wins",
}  # fmt: skip
_WORDS: Final = {
    "a": FIRST, "model_a": FIRST, "response_a": FIRST, "answer_a": FIRST, "first": FIRST, "left": FIRST,
    "response_1": FIRST, "output_1": FIRST, "[[a]]": FIRST,
    "b": SECOND, "model_b": SECOND, "response_b": SECOND, "answer_b": SECOND, "second": SECOND, "right": SECOND,
    "response_2": SECOND, "output_2": SECOND, "[[b]]": SECOND,
    "tie": TIE, "tie (bothbad)": TIE, "equal": TIE, "both": TIE, "neither": TIE, "same": TIE, "c": TIE, "[[c]]": TIE,
    "draw": TIE, "none": TIE,
}  # fmt: skip
_NUMBERS: Final[dict[str, dict[float, int]]] = {
    "one_two": {1: FIRST, 2: SECOND, 0: TIE, 1.5: TIE},
    "zero_one": {0: FIRST, 1: SECOND, 0.5: TIE, -1: TIE},
    "first_wins": {1: FIRST, 0: SECOND, 0.5: TIE},
}


def meaning_of(label: str, first: str, kind: pa.DataType) -> Meaning:
    """How numbers in this label column are read, from its name, its type and the first answer's name.

    `overall_preference` and `preference_strength` by sign (negative: the first); `labels` (SHP) and
    booleans: 1 = the first wins; answers named 0 and 1: the index of the better; else 1, 2, 0 = tie.
    """
    if label in _BY_NAME:
        return _BY_NAME[label]
    if pa.types.is_boolean(kind):
        return "first_wins"
    return "zero_one" if first.endswith("0") else "one_two"


def sides_of(column: pa.Array, meaning: Meaning) -> np.ndarray:
    """int8 [n]: FIRST, SECOND, TIE, or UNKNOWN where the label is null or says nothing known."""
    coded = column.dictionary_encode()
    told = np.array([_side(value, meaning) for value in coded.dictionary.to_pylist()] + [UNKNOWN], np.int8)
    sides: np.ndarray = told[coded.indices.fill_null(len(told) - 1).to_numpy(zero_copy_only=False)]
    return sides


def _side(value: object, meaning: Meaning) -> int:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        try:
            value = float(word)
        except ValueError:
            return UNKNOWN
    if not isinstance(value, (bool, int, float)) or value != value:
        return UNKNOWN
    if meaning == "sign":
        return TIE if value == 0 else FIRST if value < 0 else SECOND
    return _NUMBERS[meaning].get(float(value), UNKNOWN)
