"""Reversed labels in real pairs of four sources: a peer review against simpler ways, key unseen."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("RATHER_TEST_DATA" not in os.environ, reason="needs RATHER_TEST_DATA"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """`bench/noise.py`, which makes the table that is asserted here."""
    spec = importlib.util.spec_from_file_location("bench_noise", ROOT / "bench" / "noise.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("noise", [None, pytest.param(0.2, marks=pytest.mark.full)])
def test_a_peer_review_finds_more_than_simpler_ways(bench: ModuleType, noise: float | None) -> None:
    """Mean of two seeds: recall and precision above every baseline's, over all rows and in every
    source, whether a baseline flags as many rows in all or as many in each source.
    """
    pairs = bench.load(Path(os.environ["RATHER_TEST_DATA"]))
    total, matched = bench.tables(pairs, noise, seeds=2)
    ours = total.pop("peer review")
    print({source: np.round(pair, 3).tolist() for source, pair in ours.items()})
    for method in total:
        for source, pair in ours.items():
            assert (pair > matched[method][source]).all(), (method, source)
            assert (pair > total[method][source]).all(), (method, source)
    recall, precision = ours["all"]
    assert recall >= 0.64
    assert precision >= 0.61
    recall, precision = ours["LLMBar"]
    assert recall >= 0.60
    assert precision >= 0.38


@pytest.mark.full
def test_the_noise_is_estimated_from_the_margins(bench: ModuleType) -> None:
    pairs = bench.load(Path(os.environ["RATHER_TEST_DATA"]))
    estimate = bench.review(pairs, None, seed=11).noise_estimate
    assert abs(estimate - pairs.flipped.mean()) < 0.04
