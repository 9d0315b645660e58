"""Evidence by training, and the intervals it is given with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rather.train.intervals import accuracy_interval, difference_interval

from .pair_rows import planted, run_recipe

RECIPE = """
name: t
seed: 3
stages:
  - read.planted: {{path: {path}}}
  - embed.text: {{}}
  - split.heldout: {{fraction: {fraction}}}
  - {gate}
  - diagnose.evidence: {{against: split.heldout, seeds: 4, most: {most}}}
"""
SET_NAMES = ["all rows", "kept", "random, same size"]


def evidence(
    folder: Path,
    rows: int,
    *,
    noise: float = 0.35,
    gold: bool = True,
    gate: str = "filter.planted_gold: {}",
    fraction: float = 0.4,
    most: int = 50_000,
) -> dict:
    path = planted(folder / "pairs.parquet", rows, noise, gold=gold)
    text = RECIPE.format(path=path, gate=gate, fraction=fraction, most=most)
    return run_recipe(text, folder / "run").facts["diagnose.evidence"]


def test_dropping_reversed_labels_beats_dropping_at_random(tmp_path: Path) -> None:
    facts = evidence(tmp_path, 1600)
    assert set(facts) == {"label", "heldout", "rows", "caveat", "kept_minus_random"}
    assert facts["label"] == "gold"
    assert 500 < facts["heldout"] < 780
    assert [row["set"] for row in facts["rows"]] == SET_NAMES * 3
    assert [row["source"] for row in facts["rows"]] == ["all"] * 3 + ["s0"] * 3 + ["s1"] * 3
    every, kept, random = facts["rows"][:3]
    assert every["rows"] + facts["heldout"] == 1600
    assert kept["rows"] == random["rows"] < every["rows"]
    assert [row["seeds"] for row in (every, kept, random)] == [1, 1, 4]
    assert kept["accuracy"] > every["accuracy"] > random["accuracy"]
    assert facts["kept_minus_random"]["low"] > 0.02
    gap = kept["accuracy"] - random["accuracy"]
    assert facts["kept_minus_random"]["difference"] == pytest.approx(gap, abs=2e-4)
    assert all(0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1 for row in facts["rows"])
    assert sum(row["rows"] for row in facts["rows"] if row["source"] != "all" and row["set"] == "kept") == kept["rows"]
    json.dumps(facts, allow_nan=False)


def test_a_filter_that_drops_by_chance_shows_no_gain(tmp_path: Path) -> None:
    gate = "filter.planted_chance: {}"
    facts = evidence(tmp_path, 1600, gate=gate)
    assert facts["kept_minus_random"]["low"] < 0 < facts["kept_minus_random"]["high"]


def test_noisy_labels_are_named_and_cap_the_figure(tmp_path: Path) -> None:
    facts = evidence(tmp_path, 1600, gold=False)
    assert facts["label"] == "noisy"
    assert "own labels" in facts["caveat"]
    assert facts["rows"][1]["accuracy"] < 0.65 + 0.06
    assert facts["kept_minus_random"]["difference"] > 0


def test_large_sets_are_sampled_in_the_same_proportion(tmp_path: Path) -> None:
    facts = evidence(tmp_path, 1600, most=200)
    every, kept, random = facts["rows"][:3]
    assert every["rows"] == 200
    assert facts["heldout"] == 200
    assert kept["rows"] == random["rows"] == pytest.approx(200 * 0.65, abs=12)
    assert "sampled" in facts["caveat"]


def test_small_sources_are_not_told_apart(tmp_path: Path) -> None:
    facts = evidence(tmp_path, 60, fraction=0.3)
    assert facts["heldout"] < 30
    assert {row["source"] for row in facts["rows"]} == {"all"}
    assert "2 sources are not told apart" in facts["caveat"]


def test_nothing_held_out_is_said(tmp_path: Path) -> None:
    facts = evidence(tmp_path, 60, fraction=0.0)
    assert facts["rows"] == [] and "no comparable row was held out" in facts["caveat"]


def test_soft_labels_that_say_the_opposite_teach_the_opposite(tmp_path: Path) -> None:
    gate = "score.planted_doubt: {}"
    facts = evidence(tmp_path, 1000, noise=0.0, gate=gate)
    assert facts["rows"][1]["accuracy"] < 0.1 < 0.9 < facts["rows"][0]["accuracy"]


def test_wilson_by_hand() -> None:
    """8 of 10: centre (.8 + 1.92/10) / (1 + 3.84/10) = .7167, half .2265: Wilson 1927."""
    right = np.array([[1.0] * 8 + [0.0] * 2])
    found = accuracy_interval(right, np.arange(10))
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_rows_of_one_prompt_count_once() -> None:
    """Each prompt's two rows agree, so ten rows are worth five."""
    right = np.array([[1, 1, 1, 1, 1, 1, 1, 1, 0, 0]], float)
    doubled = accuracy_interval(right, np.arange(10) // 2)
    single = accuracy_interval(right[:, ::2], np.arange(5))
    assert (doubled.low, doubled.high) == pytest.approx((single.low, single.high))


def test_seeds_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    same = (rng.random((1, 400)) < 0.7).astype(float).repeat(4, axis=0)
    other = same.copy()
    other[0], other[1] = 1.0, 0.4
    narrow, wide = (accuracy_interval(c, np.arange(400)) for c in (same, other))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_difference_covers_the_truth() -> None:
    """Every fitted head has a luck of its own, sd 0.03, besides the luck of the held-out rows."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        skill = rng.random(300) * 0.3 + 0.4
        luck = rng.normal(0, 0.03, (6, 1))
        right = (rng.random((6, 300)) < skill + luck + np.array([[0.1], *[[0.0]] * 5])).astype(float)
        found = difference_interval(right[0], right[1:], np.arange(300))
        hits += found.low <= 0.1 <= found.high
    assert 0.92 <= hits / 400 <= 0.995
