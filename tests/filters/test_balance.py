"""Rows evened out by a column, and thinned to a share of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from rather.filters.balance import Balance

from ..narrows import narrow_of


def balanced(tmp_path: Path, values: list[Any], **options: Any) -> list[Any]:
    table = {"value": pa.array(values), "id": pa.array([f"row{k}" for k in range(len(values))])}
    reasons = Balance(column="value", **options).select(narrow_of(tmp_path, table)).to_pylist()
    assert set(reasons) <= {None, "too many of one value"}
    return [value for value, reason in zip(values, reasons, strict=True) if reason is None]


def test_verdicts_are_evened_out(tmp_path: Path) -> None:
    values = ["wrong"] * 12 + ["right"] * 4
    assert sorted(balanced(tmp_path, values)) == ["right"] * 4 + ["wrong"] * 4
    assert sorted(balanced(tmp_path, values, ratio=2)) == ["right"] * 4 + ["wrong"] * 8
    kept = balanced(tmp_path, [True, False, None, True])
    assert sorted(map(str, kept)) == ["False", "None", "True"]
    assert balanced(tmp_path, ["one"] * 5) == ["one"] * 5


def test_satisfactory_rows_are_a_quarter_of_the_others(tmp_path: Path) -> None:
    values = ["align_p"] * 30 + ["align_n"] * 20 + ["misalign"] * 20
    kept = balanced(tmp_path, values, thin="align_p", against="misalign", ratio=0.25)
    assert {v: kept.count(v) for v in set(kept)} == {"align_p": 5, "align_n": 20, "misalign": 20}
    assert balanced(tmp_path, values, thin="align_p", ratio=0.5).count("align_p") == 20
    assert balanced(tmp_path, values, thin="absent", ratio=0.5) == values
    assert Balance(ratio=0.5).faults() and Balance(against="x").faults() and not Balance().faults()


def test_which_rows_stay_follows_the_seed_alone(tmp_path: Path) -> None:
    table = {"value": pa.array(["a"] * 40 + ["b"] * 10), "id": pa.array([f"row{k}" for k in range(50)])}

    def kept(seed: int) -> list[Any]:
        return Balance(column="value", seed=seed).select(narrow_of(tmp_path, table)).to_pylist()

    assert kept(0) == kept(0) != kept(1)
