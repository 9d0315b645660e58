"""How many rows a source will have, where that is cheap to know: the count of what it then gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from rather.formats import tables
from rather.formats.read_pairs import ReadPairs
from rather.formats.read_rows import ReadRows

ROWS = [{"prompt": f"What is {k}?", "chosen": f"It is\n{k}.", "rejected": "Who knows."} for k in range(7)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def stored(path: Path) -> Path:
    """The rows in the format that the name tells."""
    table = pa.Table.from_pylist(ROWS)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=3)
    elif path.suffix == ".arrow":
        with ipc.new_stream(path, table.schema) as out:
            out.write_table(table, max_chunksize=2)
    elif path.suffix == ".feather":
        feather.write_feather(table, path, compression="lz4", chunksize=2)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(LINES.encode()))
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    else:
        path.write_text(LINES.replace("\n", "\n\n", 2).rstrip("\n"), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "a.jsonl", "a.jsonl.gz", "a.json"])
@pytest.mark.parametrize("source", [ReadRows, ReadPairs])
def test_as_many_as_are_read(tmp_path: Path, name: str, source: Any) -> None:
    one = source(path=str(stored(tmp_path / name)))
    assert one.rows_expected() == 7 == sum(batch.num_rows for batch in one.batches())


def test_several_files_and_bad_lines(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        stored(tmp_path / name)
    with (tmp_path / "b.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('\n{"prompt": \n')
    source = ReadRows(path=str(tmp_path), bad_lines="drop")
    assert source.rows_expected() == 15 == sum(batch.num_rows for batch in source.batches())


def test_what_is_costly_to_count_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "a.csv"
    table.write_text("prompt,chosen\nWhat?,That.\n", encoding="utf-8")
    assert ReadRows(path=str(table)).rows_expected() is None
    size = stored(tmp_path / "a.jsonl").stat().st_size
    monkeypatch.setattr(tables, "_COUNTED", size)
    assert ReadRows(path=str(tmp_path / "a.jsonl")).rows_expected() == 7
    monkeypatch.setattr(tables, "_COUNTED", size - 1)
    assert ReadRows(path=str(tmp_path / "a.jsonl")).rows_expected() is None
    assert ReadRows(path=str(stored(tmp_path / "a.parquet"))).rows_expected() == 7, "its footer says so"


def test_saved_folders(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    assert ReadRows(path=str(tmp_path / "saved")).rows_expected() == 7
