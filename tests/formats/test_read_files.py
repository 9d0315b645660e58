"""Files of every format: types that widen, bad lines, projection, folders, splits and faults."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.formats import columnar, jsonlines
from rather.formats.hub_tables import HubTables, open_tables
from rather.formats.read_pairs import ReadPairs
from rather.formats.read_rows import ReadRows

PAIRS = pa.table({"prompt": ["p", "q"], "chosen": ["a", "c"], "rejected": ["b", "d"], "score": [1.5, 2.0]})


def rows_of(path: Path | str, **options: Any) -> list[dict[str, Any]]:
    source = ReadRows(path=str(path), **options)
    assert source.faults() == []
    return pa.concat_tables(source.batches()).to_pylist()


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write_csv(path: Path) -> None:
    path.write_text("prompt,chosen,rejected,score\np,a,b,1.5\nq,c,d,2.0\n")


WRITERS = {
    "x.parquet": lambda path: pq.write_table(PAIRS, path),
    "x.feather": lambda path: feather.write_feather(PAIRS, str(path)),
    "x.arrow": lambda path: write_stream(path),
    "x.jsonl": lambda path: path.write_bytes(lines(*PAIRS.to_pylist())),
    "x.jsonl.gz": lambda path: path.write_bytes(gzip.compress(lines(*PAIRS.to_pylist()))),
    "x.ndjson.bz2": lambda path: path.write_bytes(bz2.compress(lines(*PAIRS.to_pylist()))),
    "x.json": lambda path: path.write_text(json.dumps(PAIRS.to_pylist(), indent=2)),
    "x.csv": write_csv,
    "x.csv.gz": lambda path: path.write_bytes(gzip.compress(b"prompt,chosen,rejected,score\np,a,b,1.5\nq,c,d,2.0\n")),
    "x.tsv": lambda path: path.write_text("prompt\tchosen\trejected\tscore\np\ta\tb\t1.5\nq\tc\td\t2.0\n"),
}


def write_stream(path: Path) -> None:
    with pa.ipc.new_stream(str(path), PAIRS.schema) as writer:
        writer.write_table(PAIRS)


@pytest.mark.parametrize("name", list(WRITERS))
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    pq.write_table(PAIRS, tmp_path / "other.parquet")
    expected = pa.concat_tables(ReadPairs(path=str(tmp_path / "other.parquet")).batches())
    source = ReadPairs(path=str(tmp_path / name))
    assert pa.concat_tables(source.batches()).equals(expected)
    assert list(source.schema_names()) == expected.column_names
    assert source.replayable() == name.endswith((".parquet", ".feather", ".arrow"))
    (part,) = source.batches(["score", "prompt"])
    assert part.column_names == ["prompt", "score"] and part["score"].to_pylist() == [1.5, 2.0]


def test_only_what_is_asked_for_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(PAIRS, path)
    asked: list[list[str]] = []
    real = pq.ParquetFile.iter_batches

    def watched(self: Any, **how: Any) -> Any:
        if "columns" in how:
            asked.append(how["columns"])
        return real(self, **how)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    source = ReadPairs(path=str(path))
    for wanted in (["score"], ["rejected"], ["prompt"]):
        list(source.batches(wanted))
    assert asked == [["score"], ["rejected"], ["prompt"]]


def test_large_rows_come_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten answers of 1 kB at 3 kB a table: at most three rows each, in order; short columns alone, all at once."""
    monkeypatch.setattr(columnar, "BYTES", 3_500)
    table = pa.table({"chosen": [chr(97 + k) * 1000 for k in range(10)], "n": list(range(10))})
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=False)
    tables = list(ReadRows(path=str(tmp_path / "x.parquet")).batches())
    assert max(part.num_rows for part in tables) <= 3
    assert pa.concat_tables(tables)["n"].to_pylist() == list(range(10))
    assert len(list(ReadRows(path=str(tmp_path / "x.parquet")).batches(["n"]))) == 1


def test_types_widen_through_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late keys, null then typed, whole numbers then fractions, nested objects that differ; dates stay text."""
    monkeypatch.setattr(jsonlines, "BLOCK", 64)
    monkeypatch.setattr(jsonlines, "PEEK", 64)
    rows = [
        {"n": 1, "day": "2020-01-01", "late": None, "extra": {"a": 1}, "mixed": "s", "tags": [], "big": 1},
        {"n": 2, "day": "2020-01-02", "late": None, "extra": {"b": ["x"]}, "mixed": {"z": 1, "y": None}, "empty": {}},
        {"n": 2.5, "day": "soon", "late": "now", "extra": {"a": None}, "mixed": 3, "new": True, "big": 2**63},
    ]
    (tmp_path / "x.jsonl").write_bytes(lines(*rows))
    source = ReadRows(path=str(tmp_path / "x.jsonl"))
    tables = list(source.batches())
    assert len(tables) == 3 and len({table.schema for table in tables}) == 1
    assert pa.concat_tables(tables).to_pylist() == [
        {
            "n": 1.0, "day": "2020-01-01", "late": None, "extra": {"a": 1, "b": None}, "mixed": "s", "tags": [],
            "big": "1", "empty": None, "new": None,
        },
        {
            "n": 2.0, "day": "2020-01-02", "late": None, "extra": {"a": None, "b": ["x"]}, "mixed": '{"y":null,"z":1}',
            "tags": None, "big": None, "empty": "{}", "new": None,
        },
        {
            "n": 2.5, "day": "soon", "late": "now", "extra": {"a": None, "b": None}, "mixed": "3", "tags": None,
            "big": "9223372036854775808", "empty": None, "new": True,
        },
    ]  # fmt: skip


def test_files_of_a_folder_are_one_source(tmp_path: Path) -> None:
    """Sorted by name; a column that one file lacks is null there; types widen across files."""
    (tmp_path / "b.jsonl").write_bytes(lines({"n": 2.5, "k": "x"}))
    (tmp_path / "a.jsonl").write_bytes(lines({"n": 1}))
    (tmp_path / "notes.txt").write_text("not data")
    assert rows_of(tmp_path) == [{"n": 1.0, "k": None}, {"n": 2.5, "k": "x"}]
    assert rows_of(tmp_path / "*.jsonl") == rows_of(tmp_path)
    pq.write_table(pa.table({"n": [1]}), tmp_path / "c.parquet")
    (fault,) = ReadRows(path=str(tmp_path)).faults()
    assert ".jsonl, .parquet" in fault and "glob" in fault


def test_parquet_files_that_disagree(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1], "k": pa.array(["x"], pa.large_string())}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [1.5], "m": [True]}), tmp_path / "b.parquet")
    assert rows_of(tmp_path) == [{"n": 1.0, "k": "x", "m": None}, {"n": 1.5, "k": None, "m": True}]
    pq.write_table(pa.table({"n": ["one"]}), tmp_path / "c.parquet")
    with pytest.raises(InputError, match=r"c\.parquet: column n is string here and double"):
        list(ReadRows(path=str(tmp_path)).batches())


def test_shards_of_a_split(tmp_path: Path) -> None:
    for split, value in (("train", 1), ("test", 2)):
        pq.write_table(pa.table({"n": [value]}), tmp_path / f"{split}-00000-of-00001.parquet")
    assert rows_of(tmp_path) == [{"n": 1}] and rows_of(tmp_path, split="test") == [{"n": 2}]
    assert "did you mean test?" in ReadRows(path=str(tmp_path), split="tset").faults()[0]


def test_a_path_that_ends_like_a_data_file_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    for path in ("date/pairs.parquet", "date/pairs.jsonl.gz", "date/pairs.csv.zst"):
        told = ReadRows(path=path).faults()[0]
        assert f"no readable file at {path}; there is no folder date; did you mean data?" in told
    assert isinstance(open_tables("date/pairs", "train", "", "main", False), HubTables)
    assert isinstance(open_tables("hf://datasets/date/pairs.json", "train", "", "main", False), HubTables)


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    pq.write_table(PAIRS, tmp_path / "pairs.parquet")
    assert "did you mean pairs.parquet?" in ReadPairs(path=str(tmp_path / "pears.parquet")).faults()[0]
    assert "there is no folder" in ReadPairs(path=str(tmp_path / "no" / "x.jsonl")).faults()[0]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    assert "bad.parquet: cannot be read" in ReadPairs(path=str(tmp_path / "bad.parquet")).faults()[0]
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(lines(*PAIRS.to_pylist()) * 500)[:-40])
    with pytest.raises(InputError, match="cut.jsonl.gz"):
        list(ReadPairs(path=str(tmp_path / "cut.jsonl.gz")).batches())
    (tmp_path / "double.csv").write_text("a,a\n1,2\n")
    assert "twice: a" in ReadRows(path=str(tmp_path / "double.csv")).faults()[0]


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines({"a": 1}))
    source = ReadRows(path=str(path))
    before = source.fingerprint()
    assert source.fingerprint() == before and source.file_names() == [str(path)]
    path.write_bytes(lines({"a": 12}))
    assert source.fingerprint() != before


def test_seeds_keep_their_columns(tmp_path: Path) -> None:
    """read.rows turns content into our types and leaves the rest; nothing is guessed."""
    row = {"id": "s1", "instruction": "i", "candidates": ["a", None], "steps": ["one"], "subset": "x"}
    (tmp_path / "x.jsonl").write_bytes(lines(row))
    (found,) = rows_of(tmp_path / "x.jsonl", columns={"prompt": "instruction"})
    assert [message["content"] for message in found["prompt"]] == ["i"]
    assert found["candidates"][0]["text"] == "a" and found["candidates"][1] is None
    assert (found["source_id"], found["source_steps"], found["subset"]) == ("s1", ["one"], "x")


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"\n\n")
    assert sum(table.num_rows for table in ReadRows(path=str(tmp_path / "x.jsonl")).batches()) == 0
    pq.write_table(PAIRS.slice(0, 0), tmp_path / "x.parquet")
    source = ReadPairs(path=str(tmp_path / "x.parquet"))
    assert sum(table.num_rows for table in source.batches()) == 0
    assert "chosen" in source.schema_names()
