"""Small files of texts beside a recipe."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.core.text_columns import file_digest, stamp_of, text_columns


def test_rows_of_both_kinds_of_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"q": ["a ", None, "c"], "n": [1, 2, 3]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"q": "a", "n": 1}\n\n{"q": " ", "n": 2}\n{"q": "c", "n": 3}', encoding="utf-8")
    for name in ("a.parquet", "a.jsonl"):
        assert text_columns(tmp_path / name, ["q", "n"]) == [("a", "1"), ("c", "3")]


def test_faults_name_the_place(tmp_path: Path) -> None:
    pq.write_table(pa.table({"prompt": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"no column promt; did you mean prompt\?"):
        text_columns(tmp_path / "a.parquet", ["promt"])
    for number, line in enumerate(("no json", '{"other": 1}', "[1]"), 1):
        (tmp_path / "a.jsonl").write_text("\n" * (number - 1) + line, encoding="utf-8")
        with pytest.raises(InputError, match=rf"a\.jsonl:{number}: not a row"):
            text_columns(tmp_path / "a.jsonl", ["q"])
    with pytest.raises(InputError, match="cannot be read here"):
        text_columns(tmp_path / "a.csv", ["q"])


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = file_digest(str(path)), stamp_of(str(path))
    assert file_digest(str(path)) == first[0]
    path.write_text("three")
    assert file_digest(str(path)) != first[0] and stamp_of(str(path)) != first[1]
