"""The narrow view of a fit or select: the same from memory as from a file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from rather.core import barrier
from rather.core.narrow import Narrow

from ..narrows import narrow_of
from ..runs import run_text


def test_memory_and_file_say_the_same(tmp_path: Path) -> None:
    columns = {"margin": [0.5, None, -1.0, 2.0], "prompt_hash": [7, 7, 9, 2**64 - 1]}
    filed = narrow_of(tmp_path, columns)
    held = Narrow(tmp_path / "none.parquet", 4, held=filed.table())
    assert len(filed) == len(held) == 4 and filed.names == held.names == ("pos", "margin", "prompt_hash")
    for narrow in (filed, held):
        assert narrow.column("margin") == pa.array(columns["margin"])
        assert narrow.table(["prompt_hash", "pos"]).column_names == ["prompt_hash", "pos"]
        found = narrow.sql("SELECT prompt_hash, count(*) AS n FROM narrow WHERE pos < $1 GROUP BY ALL ORDER BY 1", [3])
        assert found.to_pylist() == [{"prompt_hash": 7, "n": 2}, {"prompt_hash": 9, "n": 1}]


@pytest.mark.parametrize("most", [0, 1 << 30])
def test_what_is_too_large_is_written_and_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Of 90 rows the 30 of largest margin stay, wherever their ranks were looked at."""
    monkeypatch.setattr(barrier, "HELD_BYTES", most)
    stages = ("demo.read: {rows: 90}", "demo.rank", "demo.top: {keep: 30}", "demo.digest")
    view = run_text("\n  - ".join(("stages:", *stages)), tmp_path / "run")
    assert view.facts["demo.digest"]["rows"] == 30
    came, kept = (
        sorted(view.frame(name).table(["margin"])["margin"].to_pylist()) for name in ("demo.rank", "demo.top")
    )
    assert len(came) == 90 and kept == came[-30:]
    assert not list((tmp_path / "run").rglob("narrow.parquet"))
