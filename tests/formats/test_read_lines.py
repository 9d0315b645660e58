"""Text files as rows: JSON lines, arrays and CSV, whatever they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from rather.core.errors import InputError
from rather.formats import jsonlines
from rather.formats.read_pairs import ReadPairs
from rather.formats.read_rows import ReadRows

from .test_read_files import lines, rows_of

SHAPES = [b'{"prompt": "p"}', b'{"a": {"b": [1, null]}}', b"null", b"[", b"{}"]
PIECES = st.binary(max_size=40) | st.sampled_from(SHAPES)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)


def test_an_object_used_as_a_dictionary_is_json(tmp_path: Path) -> None:
    """300 keys seen once each would make 300 columns of nulls."""
    rows = [{"votes": {f"u{k}": k}} for k in range(300)]
    (tmp_path / "x.jsonl").write_bytes(lines(*rows))
    assert [row["votes"] for row in rows_of(tmp_path / "x.jsonl")] == [f'{{"u{k}":{k}}}' for k in range(300)]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b'{"prompt": "x"', "not valid JSON"),
        (b'{"prompt": 1} null', "not valid JSON"),
        (b"null", "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"prompt": "\xff"}', "not UTF-8"),
        (b'{"prompt": "\\ud800"}', "not UTF-8"),
        (b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_bad_line_is_named_or_kept_as_an_empty_row(tmp_path: Path, bad: bytes, told: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines({"prompt": "p", "k": 1}) + b"\n" + bad + b"\n" + lines({"prompt": "q", "k": 2}))
    with pytest.raises(InputError) as caught:
        list(ReadRows(path=str(path)).batches())
    assert told in caught.value.cause and caught.value.place == f"{path}:3" and "bad_lines" in caught.value.hint
    found = rows_of(path, bad_lines="drop")
    assert [row["k"] for row in found] == [1, None, 2]
    assert [row["prompt"] is None for row in found] == [False, True, False]
    assert found[0]["read_error"] is None and told in found[1]["read_error"] and len(found[1]["read_error"]) < 30
    (only,) = ReadRows(path=str(path), bad_lines="drop").batches(["read_error"])
    assert only["read_error"].null_count == 2


def test_lines_that_arrow_refuses_and_json_allows(tmp_path: Path) -> None:
    """A key given twice: the last one counts, as in Python's reader."""
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1, "a": 2}\r\n{"a": 3}')
    assert rows_of(tmp_path / "x.jsonl") == [{"a": 2}, {"a": 3}]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES))
@example([b"{}", b"null"])
@example([b"[", b"]"])
def test_any_bytes_are_rows_or_one_clear_error(tmp_path: Path, pieces: list[bytes]) -> None:
    """With `drop`, every line that is not blank is a row."""
    data = b"\n".join(pieces)
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    for options in ({}, {"bad_lines": "drop"}):
        try:
            count = sum(table.num_rows for table in ReadRows(path=str(path), **options).batches())
        except InputError as error:
            assert str(path) in error.show()
            continue
        if not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
            assert count == sum(1 for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), min_size=1, max_size=6))
def test_any_objects_are_read_without_loss(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Each value comes back as itself or as the canonical JSON of itself; keys that were absent are null."""
    assume(any(rows))
    (tmp_path / "x.jsonl").write_bytes(lines(*rows))
    found = rows_of(tmp_path / "x.jsonl")
    assert len(found) == len(rows)
    for row, back in zip(rows, found, strict=True):
        for name in set(row) | set(back):
            value, got = row.get(name), back.get(name)
            text = isinstance(got, str) and not isinstance(value, str)
            assert bare(json.loads(got) if text else got) == bare(value)


def bare(value: Any) -> Any:
    """Without the null keys that a common type adds."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if inner is not None}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


def test_a_json_array_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements cut by a block's end, brackets in strings, line breaks between keys."""
    monkeypatch.setattr(jsonlines, "BLOCK", 16)
    rows = [{"a": "x]},[{" * k, "b": {"c": k}} for k in range(9)]
    (tmp_path / "x.json").write_text(json.dumps(rows, indent=1))
    assert len(list(ReadRows(path=str(tmp_path / "x.json")).batches())) > 1
    assert rows_of(tmp_path / "x.json") == rows
    for broken in ('[{"a": 1}', '[{"a": 1} {"a": 2}]', '[{"a": 1}] x', "["):
        (tmp_path / "x.json").write_text(broken)
        with pytest.raises(InputError, match="x.json"):
            list(ReadRows(path=str(tmp_path / "x.json")).batches())


def test_csv_types_lose_nothing(tmp_path: Path) -> None:
    """007 is no number, an empty number is null, an empty text is empty, quoted line breaks stay."""
    (tmp_path / "x.csv").write_text('id,n,f,ok,text\n007,1,0.5,true,"a\nb"\n8,,1e3,false,\n')
    assert rows_of(tmp_path / "x.csv") == [
        {"source_id": "007", "n": 1, "f": 0.5, "ok": True, "text": "a\nb"},
        {"source_id": "8", "n": None, "f": 1000.0, "ok": False, "text": ""},
    ]
    (tmp_path / "x.csv").write_text("prompt,chosen,rejected\np,3.10,4\n")
    (row,) = pa.concat_tables(ReadPairs(path=str(tmp_path / "x.csv")).batches()).to_pylist()
    assert (row["chosen"]["text"], row["rejected"]["text"]) == ("3.10", "4")


def test_a_csv_line_with_too_many_fields(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3,4,5\n6,7\n")
    with pytest.raises(InputError, match="3 fields where the header has 2"):
        list(ReadRows(path=str(path)).batches())
    found = rows_of(path, bad_lines="drop")
    assert [row["a"] for row in found] == [1, 6, None]
    assert [row["read_error"] for row in found] == [None, None, "wrong number of fields"]
    path.write_text("a,b\n3,4,5\n6\n")
    assert [row["read_error"] for row in rows_of(path, bad_lines="drop")] == ["wrong number of fields"] * 2
