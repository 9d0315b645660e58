"""The sample of a large level: the same whatever the batches, read as rows of a frame are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rather.core import sample
from rather.core.frame import Frame
from rather.core.sample import LARGE, Sample
from rather.core.view import RunView
from rather.formats.report_compare import drawn, picked

from ..runs import run_text

RECIPE = """
name: large
stages:
  - read.pairs: {{path: {path}}}
  - score.length: {{of: [chosen]}}
  - filter.rules: {{least_chars: 3}}
  - filter.margin: {{lower_quantile: 0.1}}
"""


def large(folder: Path, rows: int = LARGE + 30_000) -> RunView:
    text = pa.array(np.arange(rows)).cast(pa.string())
    columns = {"prompt": text, "chosen": text, "rejected": pa.array(["other"] * rows), "note": text}
    pq.write_table(pa.table(columns | {"margin": np.arange(rows) % 1000 / 1000}), folder / "pairs.parquet")
    return run_text(RECIPE.format(path=folder / "pairs.parquet"), folder / "run")


def test_a_sample_holds_the_same_rows_however_they_came(monkeypatch, tmp_path):
    monkeypatch.setattr(sample, "MOST_ROWS", 500)
    rows, found = 20_000, []
    hashes = np.random.default_rng(0).integers(0, 1 << 63, rows).astype(np.uint64)
    for step in (rows, 700, 64):
        kept = Sample()
        for first in range(0, rows, step):
            part = pa.array(hashes[first : first + step])
            kept.add(first, pa.table({"content_hash": part}), pa.table({"x": part}))
        kept.write(tmp_path / f"{step}.parquet")
        found.append(pq.read_table(tmp_path / f"{step}.parquet"))
    assert found[0].equals(found[1]) and found[0].equals(found[2]) and 250 < len(found[0]) <= 500
    assert np.array_equal(hashes[found[0]["pos"].to_numpy()], found[0]["x"].to_numpy())


def test_a_large_run_is_shown_from_its_sample(tmp_path):
    view = large(tmp_path)
    columns = ["id", "prompt", "margin", "chosen_chars"]
    for stage in ("score.length", "filter.margin"):
        frame = view.frame(stage)
        found = drawn(frame, columns)
        assert isinstance(found, Frame) and found.drawn and 10_000 < len(found) <= sample.MOST_ROWS
        rows, every = found.table(columns), frame.table(columns)
        place = {name: k for k, name in enumerate(every["id"].to_pylist())}
        assert rows.equals(every.take([place[name] for name in rows["id"].to_pylist()]))
    assert abs(np.mean(rows["margin"].to_numpy()) - np.mean(every["margin"].to_numpy())) < 0.02


def test_columns_that_are_not_in_the_sample_are_read_from_all_rows(tmp_path):
    frame = large(tmp_path).frame("filter.margin")
    assert frame.sample(["note"]) is None
    assert sum(table.num_rows for table in picked(frame, ["note"])) == 20_000


def test_a_small_run_keeps_no_sample(tmp_path):
    view = large(tmp_path, 3000)
    assert view.frame("filter.margin").sample(["id"]) is None and not list(tmp_path.rglob("sample.parquet"))


def test_an_id_does_not_depend_on_the_columns_that_stages_read(tmp_path):
    pq.write_table(pa.table({"a": [1, 2, 3], "t": ["x", "y", "x"]}), tmp_path / "rows.parquet")
    found = []
    for number, stage in enumerate(("filter.margin: {column: a, least: 0}", "score.length: {of: [t]}")):
        text = f"name: x\nstages:\n  - read.rows: {{path: {tmp_path}/rows.parquet}}\n  - {stage}\n"
        found.append(run_text(text, tmp_path / str(number)).frame("read.rows").table(["id"])["id"].to_pylist())
    assert found[0] == found[1] and len(set(found[0])) == 3
