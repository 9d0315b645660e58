"""The plain rules, one by one, and the byte tricks behind them against plain Python."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.row import ANSWER, MESSAGES, text_answers, text_messages
from rather.filters.refusals import refuses
from rather.filters.rules import Rules
from rather.filters.text_bytes import blank, same_text, word_counts


def why(chosen: list[Any], rejected: list[Any], prompt: list[Any] | None = None, **options: Any) -> list[str | None]:
    prompts = text_messages(pa.array(prompt or ["Why?"] * len(chosen), pa.string()))
    sides = [text_answers(pa.array(side, pa.string())) for side in (chosen, rejected)]
    batch = pa.table({"prompt": prompts, "chosen": sides[0], "rejected": sides[1]})
    return Rules(**options).why_drop(batch).to_pylist()


def test_empty_sides() -> None:
    found = why(["yes", "", None, " \n\t", "\u00a0\u3000", "yes"], ["no", "no", "no", "no", "no", "  "])
    assert found == [None, *["no chosen answer"] * 4, "no rejected answer"]


def test_empty_prompts() -> None:
    assert why(["a"] * 3, ["b"] * 3, ["x", " ", None]) == [None, "no prompt", "no prompt"]


def test_identical_but_for_white_space() -> None:
    chosen = ["It is  so.", " It is so.\n", "It is so.", "Itis so.", "a b", "The same start, another end"]
    rejected = ["It is so.", "It\tis so.", "It is so.", "It is so.", "a\u2003b", "The same start, one end"]
    same = "chosen and rejected are the same"
    assert why(chosen, rejected) == [same, same, same, None, same, None]
    assert why(chosen, rejected, identical=False) == [None] * 6


def test_lengths_name_the_side() -> None:
    chosen, rejected = ["one two three", "one", "one two"], ["one two", "one two", "one two three four"]
    found = why(chosen, rejected, least_words=2, most_words=3)
    assert found == [None, "chosen too short", "rejected too long"]
    assert why(["éé"], ["abc"], least_chars=2, most_chars=2) == ["rejected too long"]
    assert why(["a"], ["b"], ["é" * 5], most_prompt_chars=4) == ["prompt too long"]


def test_first_rule_wins() -> None:
    assert why([""], [""], [""]) == ["no prompt"]
    assert why([""], [""]) == ["no chosen answer"]


def test_read_errors_come_first_and_missing_columns_are_not_judged() -> None:
    told = pa.array([None, "line 3 is not JSON"])
    batch = pa.table({"read_error": told, "chosen": text_answers(pa.array(["a", None]))})
    assert Rules().why_drop(batch).to_pylist() == [None, "unreadable"]


def test_images_and_turns_are_answers() -> None:
    turn = {"role": "assistant", "content": "Hello", "parts": None, "tool_calls": None}
    blanks: dict[str, Any] = {"text": None, "turns": None, "image": None, "model": None, "made_by": None}
    left, right = ({"bytes": data, "path": None} for data in (b"one", b"two"))
    chosen = [blanks | {"image": left}, blanks | {"image": left}, blanks | {"turns": [turn]}, blanks]
    rejected = [blanks | {"image": right}, blanks | {"image": left}, blanks | {"text": "Bye"}, blanks | {"text": "x"}]
    batch = pa.table({"chosen": pa.array(chosen, ANSWER), "rejected": pa.array(rejected, ANSWER)})
    expected = [None, "chosen and rejected are the same", None, "no chosen answer"]
    assert Rules().why_drop(batch).to_pylist() == expected


def test_a_prompt_of_parts_is_not_empty() -> None:
    part = {"type": "image", "text": None, "image": 0}
    message = {"role": "user", "content": None, "parts": [part], "tool_calls": None}
    bare = message | {"parts": None}
    batch = pa.table({"prompt": pa.array([[message], [bare], [bare, message], []], MESSAGES)})
    assert Rules().why_drop(batch).to_pylist() == [None, "no prompt", None, "no prompt"]


REFUSED = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I cannot assist with this request.",
    "Sorry, I won't do that.",
    "I apologize, but as an AI language model I am unable to browse.",
    "As an AI language model, I cannot have opinions.",
    "I cannot provide instructions for that.",
    "Unfortunately, I can't help you there.",
    "  I'm not able to help with that",
    "This request violates our policy.",
]
ANSWERED = [
    "I'm sorry to hear that! Try a warm bath. You can't go wrong.",
    "Sorry is a 1998 song by Madonna.",
    "I can help you with that.",
    "Cats cannot taste sweetness.",
    "I cannot recall a colder winter, said the old man.",
    "x " * 120 + "I'm sorry, but I can't help with that.",
]


def test_refusals() -> None:
    assert refuses(pa.array([*REFUSED, None])).tolist() == [True] * len(REFUSED) + [False]
    assert refuses(pa.array(ANSWERED)).tolist() == [False] * len(ANSWERED)


def test_refusals_are_dropped_only_when_asked() -> None:
    assert why(REFUSED[:1], ["x"]) == [None]
    assert why(REFUSED[:1], ["x"], refusals=True) == ["chosen is a refusal"]
    assert why(["Nope, never"], ["x"], refusals=True, refusal_patterns=("^nope",)) == ["chosen is a refusal"]


@pytest.mark.parametrize(
    ("options", "told"),
    [({"least_words": 3, "most_words": 2}, "least_words"), ({"refusal_patterns": ("(",)}, "refusal_patterns")],
)
def test_faults(options: dict[str, Any], told: str) -> None:
    (fault,) = Rules(**options).faults()
    assert told in fault
    assert not Rules().faults()


texts = st.lists(st.none() | st.text(st.sampled_from("ab\n \t.é\u00a0中\x00"), max_size=12), max_size=12)


@settings(max_examples=300, deadline=None)
@given(texts, st.integers(0, 3))
def test_byte_counts_agree_with_python(rows: list[str | None], start: int) -> None:
    """Also on slices, whose buffers begin elsewhere."""
    text = pa.array(rows, pa.string()).slice(start)
    rows = rows[start:]
    spaces = "".join(map(chr, range(33)))
    expected = [len(re.findall(f"[^{re.escape(spaces)}]+", row)) if row is not None else 0 for row in rows]
    assert word_counts(text).tolist() == expected
    assert blank(text).tolist() == [row is None or not row.strip() for row in rows]


@settings(max_examples=300, deadline=None)
@given(texts, texts)
def test_same_text_agrees_with_python(left: list[str | None], right: list[str | None]) -> None:
    n = min(len(left), len(right))
    left, right = left[:n], right[:n]
    expected = [a is not None and b is not None and a.split() == b.split() for a, b in zip(left, right, strict=True)]
    assert same_text(pa.array(left, pa.string()), pa.array(right, pa.string())).tolist() == expected
