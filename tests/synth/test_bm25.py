"""BM25 by hand, in any order, from every kind of file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.synth.bm25 import Passages, passages_of, read_passages
from rather.synth.changed_spans import changed_spans

TEXTS = ["The cat sat.", "A dog, a dog and a cat", "Fish swim"]


def test_scores_by_hand() -> None:
    """N = 3, mean length 11/3. "dog" stands in one passage twice (length 7), "cat" in two once (lengths 3 and 7)."""
    found = dict(Passages(TEXTS).nearest("Dog? CAT!", 3))
    idf_dog, idf_cat = math.log(1 + 2.5 / 1.5), math.log(1 + 1.5 / 2.5)
    norms = [1.2 * (0.25 + 0.75 * size / (12 / 3)) for size in (3, 7)]
    assert found == {
        1: pytest.approx(idf_dog * 2 * 2.2 / (2 + norms[1]) + idf_cat * 2.2 / (1 + norms[1])),
        0: pytest.approx(idf_cat * 2.2 / (1 + norms[0])),
    }
    assert list(found) == [1, 0], "best first, and nothing that shares no word"


def test_ties_and_nothing() -> None:
    index = Passages(["same words", "other", "same words"])
    assert [i for i, _ in index.nearest("words words same", 2)] == [0, 2]
    assert index.nearest("unknown", 2) == [] and index.nearest("?", 2) == []
    assert Passages(["…"]).nearest("x", 1) == []


def test_every_kind_of_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", None, " ", "two"]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": "two"}\n', encoding="utf-8")
    (tmp_path / "a.txt").write_text("one\r\n\r\ntwo\n\n\n", encoding="utf-8")
    for name in ("a.parquet", "a.jsonl", "a.txt"):
        assert read_passages(tmp_path / name, "text") == ["one", "two"]
    with pytest.raises(InputError, match="no column body"):
        read_passages(tmp_path / "a.parquet", "body")
    with pytest.raises(InputError, match=r"a\.jsonl:1: not a row"):
        read_passages(tmp_path / "a.jsonl", "body")
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(InputError, match="no passage"):
        read_passages(tmp_path / "empty.txt", "text")
    with pytest.raises(InputError, match="cannot be read here"):
        read_passages(tmp_path / "a.csv", "text")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "one"}))
    first = passages_of(str(path), "text")
    assert passages_of(str(path), "text") is first
    path.write_text(json.dumps({"text": "one and two"}))
    assert passages_of(str(path), "text").texts == ["one and two"]


def test_changed_spans_by_hand() -> None:
    before, after = "It opened in 1969, in Paris.", "It opened in 1971, in old Paris. Twice."
    found = [(after[s["start"] : s["end"]], s["kind"], s["comment"]) for s in changed_spans(before, after)]
    assert found == [("1971", "changed", "1969"), ("old", "added", None), ("Twice.", "added", None)]
    assert changed_spans("a b c", "a c") == [] == changed_spans("same", "same")
