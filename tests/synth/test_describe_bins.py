"""Numbers as words: edges by hand, groups apart, what has no number, and captions with one word far off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rather.core.errors import RecipeError
from rather.core.row import text_messages
from rather.core.view import RunView
from rather.synth.describe_bins import binned

from ..runs import run_text

WORDS = ("very dark", "dark", "even", "bright", "very bright")


def test_bins_by_hand() -> None:
    """1 … 8 in four quantiles: two each. 0 … 8 in four equal steps: edges 2, 4, 6."""
    assert binned(pa.array(range(1, 9)), 4, "quantile", 0.01).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert binned(pa.array(range(9)), 4, "hist", 0.0).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3]


def test_outliers_are_cut_off_before_equal_steps() -> None:
    values = np.concatenate([np.linspace(0, 1, 99), [1000.0]])
    assert np.bincount(binned(pa.array(values), 4, "hist", 0.0)).tolist() == [99, 0, 0, 1]
    assert (np.bincount(binned(pa.array(values), 4, "hist", 0.02)) > 20).all()


def test_groups_are_binned_apart() -> None:
    low, high = list(range(8)), list(range(100, 108))
    groups = pa.array(["a"] * 8 + ["b"] * 8)
    own = binned(pa.array(low + high), 4, "quantile", 0.01, groups).tolist()
    assert own[:8] == own[8:] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert binned(pa.array(low + high), 4, "quantile", 0.01).tolist()[:8] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_no_number_is_no_bin_and_no_word() -> None:
    values = pa.array([1.0, None, float("nan"), 2.0, float("inf"), 3.0])
    assert binned(values, 3, "quantile", 0.01).tolist() == [0, -1, -1, 1, -1, 2]
    assert binned(pa.array([2.0] * 9), 3, "quantile", 0.01).tolist() == [-1] * 9, "one value cannot be three bins"


def described(tmp_path: Path, table: dict[str, Any], **options: Any) -> RunView:
    n = len(next(iter(table.values())))
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"prompt": text_messages(pa.array([f"photo {k}" for k in range(n)]))} | table), rows)
    stages = [{"read.rows": {"path": str(rows)}}, {"synth.describe_bins": options}]
    return run_text(yaml.safe_dump({"name": "bins", "seed": 2, "stages": stages}), tmp_path / "run")


def test_a_caption_and_one_with_a_word_far_off(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = {"light": rng.normal(size=200), "sharp": rng.normal(size=200)}
    table["light"][7] = float("nan")
    view = described(
        tmp_path, table, features={"light": list(WORDS), "sharp": ["blurry", "soft", "sharp"]},
        caption="a {light}, {sharp} photo",
    )  # fmt: skip
    names = ["light_bin", "light_word", "sharp_bin", "sharp_word", "chosen", "rejected", "flipped"]
    rows = view.frame("synth.describe_bins").table(names).to_pylist()
    assert rows[7]["light_word"] is rows[7]["chosen"] is rows[7]["rejected"] is None
    flipped = set()
    for k, row in enumerate(rows):
        if k == 7:
            continue
        assert row["light_word"] == WORDS[row["light_bin"]]
        assert row["chosen"]["text"] == f"a {row['light_word']}, {row['sharp_word']} photo"
        told = json.loads(row["rejected"]["made_by"]["params"])
        assert told["column"] == row["flipped"] and told["bins"] >= 2
        true = row[f"{told['column']}_word"]
        assert told["before"] == true and row["rejected"]["text"] == row["chosen"]["text"].replace(true, told["after"])
        flipped.add(row["flipped"])
    assert flipped == {"light", "sharp"}


def test_a_middle_word_with_nothing_far_off_has_no_negative(tmp_path: Path) -> None:
    view = described(tmp_path, {"sharp": list(range(9))}, features={"sharp": ["a", "b", "c"]}, caption="{sharp}")
    rows = view.frame("synth.describe_bins").table(["sharp_word", "rejected"]).to_pylist()
    assert [row["rejected"] is None for row in rows] == [row["sharp_word"] == "b" for row in rows]


def test_words_alone_and_faults(tmp_path: Path) -> None:
    view = described(tmp_path, {"sharp": list(range(9)), "who": ["x"] * 9}, features={"sharp": ["a", "b"]}, by="who")
    assert "chosen" not in view.frame("synth.describe_bins").names
    for options, said in (
        ({"features": {"sharp": ["a", "b"]}, "caption": "{shrap}"}, "no feature is called shrap"),
        ({"features": {"sharp": ["a", "b"]}, "caption": "{sharp}"}, "2 apart"),
        ({"features": {"shrap": ["a", "b"]}}, "shrap"),
        ({"features": {}}, "features"),
    ):
        with pytest.raises(RecipeError, match=said):
            described(tmp_path, {"sharp": list(range(9))}, **options)
