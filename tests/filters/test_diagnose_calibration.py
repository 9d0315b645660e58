"""`diagnose.calibration` and `score.calibrated`: overconfidence found, written, applied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from rather.core.errors import InputError, RecipeError
from rather.filters.diagnose_calibration import Calibrated, DiagnoseCalibration
from rather.filters.diagnose_judge import told_of

from .. import frames
from ..judges import FakeContext
from ..runs import run_text


def overconfident(n: int, seed: int = 0) -> pa.Table:
    """True chance σ(x), stated σ(3 x)."""
    x = np.random.default_rng(seed).normal(size=n)
    right = np.random.default_rng(seed + 1).random(n) < 1 / (1 + np.exp(-x))
    rows = frames.pairs(["p"] * n, ["a"] * n, ["b"] * n, judge_p=pa.array(1 / (1 + np.exp(-3 * x))))
    return rows.append_column("gold", pa.array(right))


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_overconfidence_is_taken_away(method: str, tmp_path: Path) -> None:
    rows = overconfident(4000)
    stage = DiagnoseCalibration(method=method)  # type: ignore[arg-type]
    facts = stage.sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))
    before, after = (told_of(facts, f"calibration error, {when}")["value"] for when in ("as judged", "calibrated"))  # type: ignore[index]
    assert before > 0.1 and after < 0.04
    assert told_of(facts, "Brier score, calibrated")["value"] < told_of(facts, "Brier score, as judged")["value"]  # type: ignore[index]
    chances = Calibrated(file=facts["path"]).score(rows, FakeContext({}))["judge_p_calibrated"].to_numpy()
    truth = 1 / (1 + (1 / rows["judge_p"].to_numpy() - 1) ** (1 / 3))
    assert np.abs(chances - truth).mean() < 0.06


def test_the_map_is_the_same_for_either_side(tmp_path: Path) -> None:
    facts = DiagnoseCalibration().sink(frames.TableFrame(overconfident(500)), frames.SinkContext.at(tmp_path))
    p = pa.table({"judge_p": [0.1, 0.3, 0.5, 0.7, 0.9, None]})
    found = Calibrated(file=facts["path"]).score(p, FakeContext({}))["judge_p_calibrated"].to_pylist()
    assert found[5] is None and found[2] == pytest.approx(0.5, abs=0.08)
    assert [a + b for a, b in zip(found[:2], found[4:2:-1], strict=True)] == pytest.approx([1, 1], abs=1e-9)


def test_too_few_labels_and_no_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="9 labelled rows"):
        DiagnoseCalibration().sink(frames.TableFrame(overconfident(9)), frames.SinkContext.at(tmp_path))
    rows = overconfident(30).drop_columns(["gold"])
    with pytest.raises(InputError, match="no column gold"):
        DiagnoseCalibration().sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))


def test_a_recipe_applies_the_file_and_a_missing_one_is_a_fault(tmp_path: Path) -> None:
    facts = DiagnoseCalibration().sink(frames.TableFrame(overconfident(300)), frames.SinkContext.at(tmp_path))
    stages = [
        {"demo.read": {"rows": 40}},
        {"score.calibrated": {"file": facts["path"], "column": "margin", "to": "sure"}},
    ]
    view = run_text(yaml.safe_dump({"stages": stages}), tmp_path / "run")
    found = view.frame("score.calibrated").table(["sure"])["sure"].to_numpy()
    assert found.min() >= 0 and found.max() <= 1 and len(np.unique(found)) > 3
    stages[1]["score.calibrated"]["file"] = str(tmp_path / "none.json")  # type: ignore[index]
    with pytest.raises(RecipeError, match=r"none\.json"):
        run_text(yaml.safe_dump({"stages": stages}), tmp_path / "again")
