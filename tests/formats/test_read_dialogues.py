"""Cutting dialogues and reading transcripts, vectorised, against the same in plain Python."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.row import MESSAGES
from rather.formats.dialogues import form_of, messages_of
from rather.formats.parting import part, without_last_cue

TURN = st.tuples(st.sampled_from(["user", "assistant", "system"]), st.sampled_from(["x", "y", ""]))
DIALOGUE = st.none() | st.lists(TURN, max_size=6)


def arrow(dialogues: list[list[tuple[str, str]] | None]) -> pa.Array:
    rows = [None if talk is None else [{"role": r, "content": c} for r, c in talk] for talk in dialogues]
    return pa.array(rows, MESSAGES)


def plain(column: pa.Array) -> list[Any]:
    return [None if row is None else [(m["role"], m["content"]) for m in row] for row in column.to_pylist()]


def cut(left: list[Any] | None, right: list[Any] | None) -> int:
    """Where the prompt ends: the last assistant turn that both answers may begin with."""
    if not left or not right:
        talk = left or right or []
        limit = max(len(talk) - 1, 0)
        spoken = [k for k in range(min(limit + 1, len(talk))) if talk[k][0] == "assistant"]
        return spoken[-1] if spoken else limit
    shared = next((k for k, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    limit = min(shared, len(left) - 1, len(right) - 1)
    ends = [max((k for k in range(limit + 1) if talk[k][0] == "assistant"), default=limit) for talk in (left, right)]
    return min(ends)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(DIALOGUE, DIALOGUE), min_size=1, max_size=8), st.integers(0, 2))
def test_parting_is_what_it_says(pairs: list[tuple[Any, Any]], offset: int) -> None:
    """Prompt and answers put together are the dialogues, whatever slice of a column they come in."""
    left, right = arrow([a for a, _ in pairs])[offset:], arrow([b for _, b in pairs])[offset:]
    prompt, chosen, rejected = (plain(column) for column in part(left, right))
    for k, (a, b) in enumerate(pairs[offset:]):
        at = cut(a, b)
        assert prompt[k] == (((a or b or [])[:at]) or None)
        assert chosen[k] == (None if a is None else a[at:]) and rejected[k] == (None if b is None else b[at:])


WORDS = st.lists(
    st.sampled_from(["Human", "hello\nthere", "x: y", " two  spaces", "Assistant", "é\x1e"]), min_size=1, max_size=3
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(WORDS.map(" ".join), min_size=1, max_size=5), min_size=1, max_size=5))
def test_transcripts_keep_every_word(talks: list[list[str]]) -> None:
    """A transcript written from turns gives the turns back, separators inside the text included."""
    said = [[("user" if k % 2 == 0 else "assistant", text) for k, text in enumerate(talk)] for talk in talks]
    cue = {"user": "Human", "assistant": "Assistant"}
    texts = ["".join(f"\n\n{cue[role]}: {text}" for role, text in talk) for talk in said]
    assert plain(messages_of(pa.array(texts))) == said


def test_transcripts_among_other_prompts() -> None:
    texts = pa.array(["Human: a\n\nAssistant:", None, "b", "\n\nHuman: c\n\nAssistant: \n\nHuman:d"])
    expected = [
        [("user", "a"), ("assistant", "")],
        None,
        [("user", "b")],
        [("user", "c"), ("assistant", ""), ("user", "d")],
    ]
    messages = messages_of(texts)
    assert plain(messages) == expected
    expected[0] = [("user", "a")]
    assert plain(without_last_cue(messages)) == expected


def test_all_separators_in_use() -> None:
    """Texts are read in halves until one of the four control characters is free."""
    texts = [f"\n\nHuman: {mark}\n\nAssistant: ok" for mark in "\x1c\x1d\x1e\x1f"]
    assert [talk[0][1] for talk in plain(messages_of(pa.array(texts)))] == list("\x1c\x1d\x1e\x1f")


def test_what_strings_hold() -> None:
    talk = "Human: a\n\nAssistant: b"
    assert form_of(pa.array([talk, None, talk])) == "whole"
    assert form_of(pa.array(["Human: a", "b"])) == "cues"
    assert form_of(pa.array(["a", "Say Human: b"])) == ""
    assert form_of(pa.array(['[{"role": "user", "content": "x"}]'])) == "json"
    assert form_of(pa.array(["[1, 2]"])) == form_of(pa.array(["{x}"])) == form_of(pa.array([1])) == ""
