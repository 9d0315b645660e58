"""Margins: bands, quantiles, the best of a prompt. Every expected set is worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.filters.margin import Margin, group_quantile

from ..narrows import narrow_of


def reasons(folder: Path, columns: dict[str, Any], **options: Any) -> list[str | None]:
    return Margin(**options).select(narrow_of(folder, columns)).to_pylist()


def test_a_band_keeps_its_ends(tmp_path: Path) -> None:
    found = reasons(tmp_path, {"margin": [0.09, 0.1, 0.5, 2.0, 2.1, None]}, least=0.1, most=2.0)
    assert found == ["margin below least", None, None, None, "margin above most", "no margin"]


def test_margin_of_two_scores(tmp_path: Path) -> None:
    """Leads are 1, -2 and unknown: the judge failed on one side of the third."""
    columns = {"chosen_helpful": [3, 1, 5], "rejected_helpful": [2, 3, None]}
    assert reasons(tmp_path, columns, score="helpful", least=0) == [None, "margin below least", "no margin"]
    sizes = reasons(tmp_path, columns, score="helpful", least=2, absolute=True)
    assert sizes == ["margin below least", None, "no margin"]
    assert Margin(score="helpful").columns_read() == ("chosen_helpful", "rejected_helpful")


def test_quantiles_are_values_of_rank(tmp_path: Path) -> None:
    """Of 0 … 9 (n = 10), q = .25 has rank floor(.25 · 9) = 2 and q = .8 rank floor(7.2) = 7; nulls do not count."""
    margins = [*map(float, range(10)), None]
    found = reasons(tmp_path, {"margin": margins}, lower_quantile=0.25, upper_quantile=0.8)
    below, above = "below the lower quantile", "above the upper quantile"
    assert found == [below] * 2 + [None] * 6 + [above] * 2 + ["no margin"]


def test_quantiles_of_groups(tmp_path: Path) -> None:
    """The lower half goes in each source: a = 1, 2, 3 (rank 1 = 2), b = 10, 30 (rank 0 = 10), null = 5 (5)."""
    columns = {"margin": [3.0, 10.0, 1.0, 30.0, 2.0, 5.0], "source": ["a", "b", "a", "b", "a", None]}
    found = reasons(tmp_path, columns, lower_quantile=0.5, by="source")
    assert found == [None, None, "below the lower quantile", None, None, None]


def test_top_of_a_prompt_ranks_what_is_kept(tmp_path: Path) -> None:
    """Prompt 1 has 9 (above most), 4, 2, 4: the two 4s stay. Prompt 2 has 1, 1, 1: the first two stay."""
    columns = {"margin": [9.0, 4.0, 1.0, 2.0, 1.0, 4.0, 1.0], "prompt_hash": [1, 1, 2, 1, 2, 1, 2]}
    found = reasons(tmp_path, columns, most=5.0, top_per_prompt=2)
    beyond = "beyond the top 2 of its prompt"
    assert found == ["margin above most", None, None, beyond, None, None, beyond]


def test_ties(tmp_path: Path) -> None:
    assert reasons(tmp_path, {"margin": [0.0, -1.0, 1.0]}, ties="drop") == ["tie", None, None]
    assert reasons(tmp_path, {"margin": [0.0, -1.0, 1.0]}) == [None, None, None]


def test_nothing_has_a_margin(tmp_path: Path) -> None:
    columns = {"margin": pa.array([None, None], pa.float64()), "g": ["a", "b"]}
    assert reasons(tmp_path, columns, lower_quantile=0.2, upper_quantile=0.9) == ["no margin"] * 2
    assert reasons(tmp_path, columns, lower_quantile=0.2, by="g") == ["no margin"] * 2
    assert reasons(tmp_path, {"margin": pa.array([], pa.float64())}, lower_quantile=0.2) == []


def test_reads_only_what_it_needs() -> None:
    assert Margin(least=0).columns_read() == ("margin",)
    options: dict[str, Any] = {"by": "source", "lower_quantile": 0.1, "top_per_prompt": 1, "column": "peer_margin_a"}
    assert Margin(**options).columns_read() == ("peer_margin_a", "source", "prompt_hash")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"least": 2, "most": 1}, "least"),
        ({"lower_quantile": 0.9, "upper_quantile": 0.1}, "lower_quantile"),
        ({"column": "lead", "score": "helpful"}, "two ways"),
        ({"by": "source"}, "quantile"),
    ],
)
def test_options_that_contradict_are_faults(options: dict[str, Any], told: str) -> None:
    assert any(told in fault for fault in Margin(**options).faults())


values = st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 1) + 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(values | st.just(np.nan), st.integers(0, 3)), min_size=1, max_size=40), st.floats(0, 1))
def test_group_quantile_is_the_sorted_value(rows: list[tuple[float, int]], q: float) -> None:
    value, group = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    for groups in (None, group):
        found = np.broadcast_to(group_quantile(value, q, groups), len(value))
        for place in range(len(value)):
            mates = value if groups is None else value[group == group[place]]
            ranked = sorted(mates[~np.isnan(mates)])
            expected = ranked[int(np.floor(q * (len(ranked) - 1)))] if ranked else np.nan
            np.testing.assert_equal(found[place], expected)
