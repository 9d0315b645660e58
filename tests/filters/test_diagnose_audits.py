"""Personas, truth against use, drift over long dialogues: known effects are recovered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.logit import sigmoid
from rather.filters.diagnose_dialogue_drift import DialogueDrift, drift
from rather.filters.diagnose_honesty_helpfulness import HonestyHelpfulness
from rather.filters.diagnose_judge import told_of
from rather.filters.diagnose_persona_audit import PersonaAudit, rank_correlation

from .. import frames


def told(stage: Any, columns: Mapping[str, Any], tmp_path: Path) -> Mapping[str, Any]:
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return stage.sink(frames.TableFrame(table), frames.SinkContext.at(tmp_path))


def line(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told_of(facts, name)
    assert found is not None, [entry["measure"] for entry in facts["measures"]]
    return found


def test_truth_and_use_get_the_weights_that_made_the_choices(tmp_path: Path) -> None:
    """σ(1.0 Δtruth + 2.0 Δuse) of unit differences: use wins most conflicts."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4, 5000)) / np.sqrt(2)
    p = (rng.random(5000) < sigmoid(1.0 * (scores[0] - scores[1]) + 2.0 * (scores[2] - scores[3]))).astype(float)
    names = ("chosen_honesty", "rejected_honesty", "chosen_helpfulness", "rejected_helpfulness")
    facts = told(HonestyHelpfulness(column="judge_p"), dict(zip(names, scores, strict=True)) | {"judge_p": p}, tmp_path)
    for name, truth in (("worth of truth (log-odds)", 1.0), ("worth of use (log-odds)", 2.0)):
        assert line(facts, name)["low"] <= truth <= line(facts, name)["high"]
    assert line(facts, "truth wins conflicts")["reading"] == "use over truth"
    assert facts["conflicts"] == pytest.approx(2500, abs=150)


def test_conflicts_by_hand(tmp_path: Path) -> None:
    """Twelve conflicts, chosen truer in nine; the other rows agree or tie."""
    columns = {
        "chosen_honesty": [2.0] * 9 + [1.0] * 3 + [2.0] * 12, "rejected_honesty": [1.0] * 9 + [2.0] * 3 + [2.0] * 12,
        "chosen_helpfulness": [1.0] * 9 + [2.0] * 3 + [2.0] * 12, "rejected_helpfulness": [2.0] * 9 + [1.0] * 15,
    }  # fmt: skip
    facts = told(HonestyHelpfulness(), columns, tmp_path)
    assert facts["conflicts"] == 12 and line(facts, "truth wins conflicts")["value"] == 0.75
    with pytest.raises(InputError, match="3 rows"):
        told(HonestyHelpfulness(), {name: values[:3] for name, values in columns.items()}, tmp_path)


def test_a_drift_by_hand() -> None:
    """Items at 10 and 3, both lose 1 in fifty rounds: -2 a hundred, whatever their level."""
    found = drift(np.array([10, 9, 3, 2.0]), np.array([0, 50, 0, 50.0]), np.array([0, 0, 1, 1]))
    assert found.value == pytest.approx(-2) and found.high - found.low == pytest.approx(0)


def test_drift_is_found_within_items_that_differ(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rounds, items = np.tile([0, 10, 25, 50, 100], 80), np.repeat(np.arange(80), 5)
    fidelity = 5 - 0.8 * rounds / 100 + rng.normal(0, 2, 80)[items] + rng.normal(0, 0.3, 400)
    columns = {
        "source_id": [f"i{k}" for k in items],
        "rounds": rounds,
        "fidelity": fidelity,
        "safety": rng.normal(size=400),
    }
    facts = told(DialogueDrift(metrics=("fidelity", "safety")), columns, tmp_path)
    falls, holds = line(facts, "fidelity, a hundred rounds"), line(facts, "safety, a hundred rounds")
    assert falls["low"] <= -0.8 <= falls["high"] < 0 and falls["reading"] == "falls"
    assert holds["low"] < 0 < holds["high"] and holds["reading"] == "holds"
    assert set(facts["levels"]["fidelity"]) == {"0", "10", "25", "50", "100"} and facts["items"] == 80
    with pytest.raises(InputError, match="one number of rounds"):
        told(DialogueDrift(metrics=("fidelity",)), {name: values[:1] for name, values in columns.items()}, tmp_path)


def test_intervals_of_drift_cover() -> None:
    """200 trials without drift, rows of an item hanging together: some 190 intervals hold 0."""
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rounds, items = np.tile([0, 10, 25, 50, 100.0], 40), np.repeat(np.arange(40), 5)
        own = rng.normal(0, 0.01, 40)[items] * rounds
        found = drift(own + rng.normal(size=200), rounds, items)
        held += found.low <= 0 <= found.high
    assert 178 <= held <= 199


def test_personas_are_compared_item_by_item(tmp_path: Path) -> None:
    """None is right on items 0, 1; the expert on 0, 1, 2; a name loses one, a hobby none."""
    right = {"none": [1, 1, 0, 0], "expert": [1, 1, 1, 0], "name": [1, 0, 0, 0], "hobby": [1, 1, 0, 0]}
    columns = {
        "prompt_hash": list(range(4)) * 4, "persona": [name for name in right for _ in range(4)],
        "judge_p": [float(value) for values in right.values() for value in values],
        "level": [level for level in (2, 4, 1, 3) for _ in range(4)],
    }  # fmt: skip
    stage = PersonaAudit(irrelevant=("name", "hobby"), expertise="level")
    facts = told(stage, columns, tmp_path)
    assert line(facts, "accuracy as none")["value"] == 0.5 and line(facts, "accuracy as expert")["value"] == 0.75
    assert line(facts, "advantage of the expert")["value"] == 0.25
    assert line(facts, "robustness: the worst irrelevant persona")["value"] == -0.25
    expected = rank_correlation(np.array([2, 4, 1, 3.0]), np.array([0.5, 0.75, 0.25, 0.5]))
    assert line(facts, "fidelity: accuracy follows expertise (ρ)")["value"] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(InputError, match="did you mean hobby"):
        told(PersonaAudit(irrelevant=("hoby",)), columns, tmp_path)


def test_rank_correlation_by_hand() -> None:
    """1, 2, 3 against 1, 3, 2: 1 - 6 · 2 / (3 · 8) = ½; ties share mid-ranks."""
    assert rank_correlation(np.array([1, 2, 3.0]), np.array([1, 3, 2.0])) == pytest.approx(0.5)
    assert rank_correlation(np.array([1, 1, 2.0]), np.array([3, 3, 9.0])) == pytest.approx(1)
    assert np.isnan(rank_correlation(np.array([1, 1.0]), np.array([1, 2.0])))
