"""Content hashes: the same for equal values in whatever batch, different for different ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.byte_hashing import mix
from rather.core.hashing import hash_column, hash_rows
from rather.core.identity import Occurrences, hex_ids
from rather.core.row import ANSWER, text_answers, text_messages

TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=30)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(0, 30), st.integers(0, 30))
def test_a_slice_hashes_as_the_whole_does(texts: list[str | None], start: int, length: int) -> None:
    whole = pa.array(texts, pa.string())
    for column in (whole, text_messages(whole), text_answers(whole)):
        expected = hash_column(column)[start : start + length]
        assert (hash_column(column.slice(start, length)) == expected).all()


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_equal_texts_hash_equal_and_others_do_not(texts: list[str | None]) -> None:
    hashes = hash_column(pa.array(texts, pa.string())).tolist()
    assert len(set(hashes)) == len(set(texts))


def test_a_part_that_is_null_in_the_whole_batch_counts_as_a_null_anywhere() -> None:
    """Two rows alike but for the model of the second: the first hashes the same alone and in company."""
    plain = {"text": "a", "turns": None, "image": None, "model": None, "made_by": None}
    both = pa.array([plain, plain | {"model": "m"}], ANSWER)
    assert hash_column(both)[0] == hash_column(both.slice(0, 1))[0] != hash_column(both)[1]
    table = pa.table({"prompt": ["p", "p"], "chosen": pa.array([None, "c"], pa.string())})
    assert hash_rows(table, ["prompt", "chosen"])[0] == hash_rows(table.slice(0, 1), ["prompt", "chosen"])[0]


def test_long_texts_with_one_changed_byte_differ() -> None:
    text = "x" * 1000
    changed = [text[:k] + "y" + text[k + 1 :] for k in range(1000)]
    hashes = hash_column(pa.array([text, *changed]))
    assert len(set(hashes.tolist())) == 1001


def test_numbers_lists_and_names_are_told_apart() -> None:
    ints = pa.array([[1, 2], [2, 1], [1], [], None], pa.list_(pa.int64()))
    assert len(set(hash_column(ints).tolist())) == 5
    named = [pa.table({name: ["v"]}) for name in ("a", "b")]
    assert hash_rows(named[0], ["a"])[0] != hash_rows(named[1], ["b"])[0]
    assert hash_column(pa.array([0.0]))[0] == hash_column(pa.array([-0.0]))[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=20), max_size=12))
def test_occurrences_are_numbered_across_batches(batches: list[list[int]]) -> None:
    seen: dict[int, int] = {}
    alike, apart = Occurrences(), Occurrences()  # hashes that begin with the same bits, and with others
    for batch in batches:
        expected = []
        for value in batch:
            expected.append(seen.get(value, 0))
            seen[value] = seen.get(value, 0) + 1
        hashes = np.array(batch, np.uint64)
        assert alike.number(hashes).tolist() == expected
        assert apart.number(mix(hashes)).tolist() == expected


def test_ids_are_hex_with_the_occurrence_behind() -> None:
    ids = hex_ids(np.array([255, 255, 1], np.uint64), np.array([0, 2, 0]))
    assert ids.to_pylist() == ["00000000000000ff", "00000000000000ff-2", "0000000000000001"]
