"""Distributions compare the right rows over shared bins; length bias is what a hand count gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from rather.core.declared import Column
from rather.formats.report_compare import SAMPLE, WHOLE, compare, lowest, picked, rows_of
from rather.formats.report_scores import bins, distributions, length_bias, longer, score_fields

from ..fake_view import FakeRun, pairs
from ..frames import TableFrame


def run_of(n: int) -> FakeRun:
    return FakeRun().source(pairs([f"p{k}" for k in range(n)], ["aaa"] * n, ["bb"] * n))


def test_before_is_the_stage_before_the_first_decision():
    run = run_of(20).score("score.a", {"a": pa.array(np.arange(20.0))})
    run.gate("filter.a", ["low" if k < 5 else None for k in range(20)])
    run.score("score.b", {"b": pa.array(np.arange(15.0))})
    run.gate("filter.b", ["low" if k < 10 else None for k in range(15)])
    drawn, left = distributions(compare(run))
    rows = {d.name: (d.before.rows, d.after.rows) for d in drawn}
    assert rows == {"a": (20, 5), "b": (15, 5)} and left == ()


def test_several_sources_are_compared_where_they_have_met():
    run = run_of(10)
    run.gate("filter.early", ["x"] + [None] * 9)
    run.source(pairs([f"q{k}" for k in range(30)], ["a"] * 30, ["b"] * 30), "read.more")
    run.source(pairs([f"m{k}" for k in range(39)], ["a"] * 39, ["b"] * 39), "mix.all")
    run.gate("filter.late", ["x"] * 4 + [None] * 35)
    assert compare(run).stages[0] == "mix.all"


def test_values_absent_or_not_numbers_are_counted_apart():
    run = run_of(6).score("score.a", {"a": pa.array([1.0, None, float("nan"), float("inf"), 3.0, 5.0])})
    drawn = distributions(compare(run))[0][0]
    assert (drawn.before.rows, drawn.before.nulls, drawn.before.median) == (3, 3, 3.0)


def test_margins_come_first_and_labels_for_evaluation_never():
    run = run_of(4)
    columns = {name: pa.array([0.0, 1.0, 2.0, 3.0]) for name in ("alpha", "peer_margin_a", "margin")}
    gold = {"gold": pa.array([True, False, True, True])}
    run.score("score.x", columns | gold, {"margin": Column("margin")})
    assert [field.name for field in score_fields(compare(run))] == ["margin", "peer_margin_a", "alpha"]


def test_columns_beyond_the_limit_are_named():
    run = run_of(4).score("score.x", {f"c{k:02}": pa.array([0.0, 1.0, 2.0, 3.0]) for k in range(30)})
    drawn, left = distributions(compare(run))
    assert len(drawn) == 24 and left == tuple(f"c{k:02}" for k in range(24, 30))


def test_bins_cover_every_value_and_clip_only_long_tails():
    normal = np.random.default_rng(1).normal(size=5000)
    edges, clipped, whole = bins(normal)
    assert edges[0] == normal.min() and edges[-1] == normal.max() and clipped == (False, False) and not whole
    heavy = np.concatenate([normal, [-1e6, 4e6]])
    edges, clipped, _ = bins(heavy)
    assert clipped == (True, True) and -10 < edges[0] < edges[-1] < 10
    edges, _, whole = bins(np.array([0.0, 1.0, 3.0]))
    assert whole and list(edges) == [-0.5, 0.5, 1.5, 2.5, 3.5]
    edges, _, _ = bins(np.full(4, 0.25))
    assert edges[0] < 0.25 < edges[-1]


def test_length_bias_by_hand():
    """Gaps +2, -1, 0, +3 and one without text: of three unequal pairs two have the longer chosen."""
    table = pairs(["p"] * 5, ["aaa", "b", "cc", "dddd", None], ["a", "bb", "cc", "d", "e"])
    run = FakeRun().source(table).gate("filter.x", [None, "short", None, None, None])
    found = length_bias(compare(run))
    assert found is not None
    assert (found.before, found.pairs_before) == (2 / 3, 3)
    assert (found.after, found.pairs_after) == (1.0, 2)
    assert longer(np.array([0.0, np.nan])) is None


def test_length_counts_characters_not_bytes():
    found = length_bias(compare(FakeRun().source(pairs(["p"], ["ééé"], ["abcd"]))))
    assert found is not None and found.before == 0.0


def test_large_sets_are_sampled_once_and_evenly():
    n = WHOLE + 10_000
    frame = TableFrame(pa.table({"x": np.arange(n, dtype=np.float64)}))
    first, second = (np.concatenate([t["x"].to_numpy() for t in picked(frame, ["x"])]) for _ in range(2))  # type: ignore[arg-type]
    assert len(first) == SAMPLE and len(np.unique(first)) == SAMPLE and np.array_equal(first, second)
    assert abs(first.mean() / n - 0.5) < 0.02
    small = TableFrame(pa.table({"x": np.arange(1000.0)}))
    assert sum(t.num_rows for t in picked(small, ["x"])) == 1000  # type: ignore[arg-type]


def test_the_sample_of_ids_does_not_depend_on_batches_or_order():
    table = pairs([f"p{k}" for k in range(500)], ["a"] * 500, ["b"] * 500)
    whole = lowest([table], 20)
    cut = lowest([table.slice(k, 33) for k in range(0, 500, 33)], 20)
    backwards = lowest([table.take(list(range(499, -1, -1)))], 20)
    assert whole.equals(cut) and whole.equals(backwards)
    found = rows_of(TableFrame(table), whole, ["prompt"])  # type: ignore[arg-type]
    assert found["id"].combine_chunks().equals(whole)
