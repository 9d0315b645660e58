"""`diagnose.error_attribution`: known weights come back, a heavy confounder is warned of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.filters.diagnose_error_attribution import ErrorAttribution
from rather.filters.diagnose_judge import told_of

from .. import frames

FLAGS = ("factuality", "refusal", "formatting", "scope")


def rows(n: int, assertive: float) -> pa.Table:
    """Scores 4 - 1.0 factuality - 2 refusal + assertive · z; formatting and scope do not matter, scope is rare."""
    rng = np.random.default_rng(0)
    flags = {name: rng.random(n) < rate for name, rate in zip(FLAGS, (0.2, 0.1, 0.15, 0.003), strict=True)}
    z = rng.normal(10, 3, n)
    score = 4 - 1.0 * flags["factuality"] - 2.0 * flags["refusal"] + assertive * (z - 10) / 3 + rng.normal(0, 0.5, n)
    columns = {name: pa.array(values) for name, values in flags.items()}
    return pa.table({"judge_score": pa.array(score), "assertiveness": pa.array(z), **columns})


def told(table: pa.Table, tmp_path: Path, **options: Any) -> Mapping[str, Any]:
    stage = ErrorAttribution(flags=FLAGS, draws=60, **options)
    return stage.sink(frames.TableFrame(table), frames.SinkContext.at(tmp_path))


def test_known_weights_are_recovered_sparsely(tmp_path: Path) -> None:
    facts = told(rows(1500, 0.3), tmp_path)
    for name, truth in (("factuality", -1.0), ("refusal", -2.0), ("formatting", 0.0), ("assertiveness", 0.3)):
        line = told_of(facts, name)
        assert line is not None and line["value"] == pytest.approx(truth, abs=0.12), line
        assert line["low"] <= line["value"] <= line["high"]
    assert told_of(facts, "scope")["reading"].startswith("unreliable")  # type: ignore[index]
    assert told_of(facts, "factuality")["reading"] == "an error, punished"  # type: ignore[index]
    assert facts["warning"] == "" and facts["rows"] == 1500 and told_of(facts, "variance explained (R²)")["value"] > 0.5  # type: ignore[index]


def test_manner_over_truth_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "rather.filters"):
        facts = told(rows(800, 1.6), tmp_path)
    assert "assertiveness" in facts["warning"] and "outweighs factuality" in caplog.text
    assert "+1.6" in facts["warning"]


def test_a_confounder_that_is_not_there_is_left_out_and_a_wrong_truth_is_a_fault(tmp_path: Path) -> None:
    facts = told(rows(200, 0.3).drop_columns(["assertiveness"]), tmp_path)
    assert told_of(facts, "assertiveness") is None
    assert ErrorAttribution(flags=("refusal",)).faults() and not ErrorAttribution().faults()
    with pytest.raises(InputError, match="5 rows"):
        told(rows(5, 0.3), tmp_path)
