"""FiFA on pairs of images in Pick-a-Pic's columns: ties go, wide margins on varied prompts stay."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rather.cli import api


def picture(k: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(k).integers(0, 255, (16, 16, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_fifa_keeps_image_pairs_by_margin_and_prompt(tmp_path: Path) -> None:
    n = 40
    table = pa.table(
        {
            "caption": [f"a {('cat', 'dog', 'tower', 'river')[k % 4]} number {k % 13}" for k in range(n)],
            "jpg_0": [picture(k) for k in range(n)],
            "jpg_1": [picture(100 + k) for k in range(n)],
            "label_0": [0.5 if k == 3 else float(k % 2) for k in range(n)],
            "has_label": [k != 5 for k in range(n)],
        }
    )
    pq.write_table(table, tmp_path / "pick.parquet")
    sets = [f"read.path={tmp_path}/pick.parquet", "models.reward.use=fake_image_reward", "select.fifa.keep=10"]
    view = api.run("fifa-images", sets, out=tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    assert counts["select.fifa"].rows_out == 10 and counts["filter.rules"].dropped == {"unreadable": 1}
    kept = view.frame("select.fifa").table(["chosen_preference", "rejected_preference"])
    every = view.frame("score.preference").table(["chosen_preference", "rejected_preference"])
    sizes = [np.abs(t["chosen_preference"].to_numpy() - t["rejected_preference"].to_numpy()) for t in (kept, every)]
    assert np.median(sizes[0]) > np.median(sizes[1])
    out = pq.read_table(tmp_path / "run" / "data" / "data")
    assert out.num_rows == 10 - (view.facts["write.parquet"]["left_out"].get("tie", 0))
    assert {"jpg_0", "jpg_1", "label_0", "caption"} <= set(out.column_names)
