"""What gates and selects share: ranks, first reasons, equal texts and lengths against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.row import characters
from rather.filters.reasons import first_reasons, rank_within, together
from rather.filters.text_bytes import same_text

VALUES = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 1e-300, 1.0, np.inf])
TEXTS = st.text(alphabet="aé \n\t猫🙂", max_size=14)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), VALUES), max_size=30), st.sampled_from([1, 0x9E3779B97F4A7C15]))
def test_ranks_are_those_of_sorting(rows: list[tuple[int, float]], factor: int) -> None:
    groups = np.array([group for group, _ in rows], np.uint64) * np.uint64(factor)
    value = np.array([value for _, value in rows], np.float64)
    expected = [0] * len(rows)
    for group in {group for group, _ in rows}:
        members = [k for k, row in enumerate(rows) if row[0] == group]
        for rank, k in enumerate(sorted(members, key=lambda k: (-rows[k][1], k))):
            expected[k] = rank
    assert rank_within(groups, value).tolist() == expected


def test_values_closer_than_the_sorting_key_keep_their_order():
    groups = np.repeat(np.arange(50_000), 2)
    value = np.tile([1.0, np.nextafter(1.0, 2)], 50_000)
    assert rank_within(groups, value).reshape(-1, 2).tolist() == [[1, 0]] * 50_000


def test_hashes_alike_in_their_upper_bits_are_told_apart():
    """Of six rows three bits hold the position: 8 … 15 have the same upper bits, and 9 stands between 10s."""
    hashes = np.array([10, 9, 10, 3, 9, 8], np.uint64)
    order, number = together(hashes)
    assert hashes[order].tolist() == [3, 8, 9, 9, 10, 10] and order.tolist() == [3, 5, 1, 4, 0, 2]
    assert number.tolist() == [0, 1, 2, 2, 3, 3]


def test_the_first_reason_that_holds_is_the_one():
    rules = [(np.array([True, False, False]), "one"), (np.array([True, True, False]), "two")]
    assert first_reasons(3, rules).to_pylist() == ["one", "two", None]
    assert first_reasons(2, []).to_pylist() == [None, None]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.booleans()), max_size=12))
def test_equal_texts_are_those_of_equal_words(rows: list[tuple[str, str, bool]]) -> None:
    left = [f"{a} same words here{a}" if shared else a for a, _, shared in rows]
    right = [f" {a}\n same  words here{a} " if shared else b for a, b, shared in rows]
    expected = [a.split() == b.split() for a, b in zip(left, right, strict=True)]
    assert same_text(pa.array(left, pa.string()), pa.array(right, pa.string())).tolist() == expected


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=8), st.integers(0, 3))
def test_characters_are_code_points(texts: list[str | None], start: int) -> None:
    found = characters(pa.array(texts, pa.string()).slice(start))
    assert found.to_pylist() == [None if text is None else len(text) for text in texts[start:]]
