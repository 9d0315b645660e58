"""Reliability and blind spot: figures by hand, intervals that cover, rows that say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import text_answers
from rather.filters.diagnose_blind_spot import BlindSpot, blind_spot, marked
from rather.filters.diagnose_judge import told_of
from rather.filters.diagnose_reliability import Reliability, reliability

from .. import frames


def told(stage: Any, columns: Mapping[str, Any], tmp_path: Path) -> Mapping[str, Any]:
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return stage.sink(frames.TableFrame(table), frames.SinkContext.at(tmp_path))


def value(facts: Mapping[str, Any], name: str) -> float:
    found = told_of(facts, name)
    assert found is not None
    return found["value"]


def test_reliability_by_hand(tmp_path: Path) -> None:
    """Ten questions: 5 right, 2 declined, 3 wrong. a = 0.8, truthfulness 0.7: 0.8 · 0.7 + 0.2 · 0.5 = 0.66."""
    columns = {"p_ik": [1.0] * 5 + [0.0] * 5, "p_ik_refused": [0.0] * 5 + [1.0] * 2 + [0.0] * 3}
    facts = told(Reliability(), columns, tmp_path)
    expected = {"accuracy": 0.5, "precision": 0.625, "truthfulness": 0.7, "answer rate": 0.8, "reliability": 0.66}
    assert {name: value(facts, name) for name in expected} == expected
    assert (facts["rows"], facts["unread"]) == (10, 0)
    line = told_of(facts, "reliability")
    assert line is not None and line["low"] < 0.66 < line["high"]


@pytest.mark.parametrize(
    ("right", "refused", "expected"),
    [([0.0], [1.0], 0.0), ([1.0], [0.0], 1.0), ([0.0], [0.0], 0.0), ([0.5, 0.5], [0.5, 0.5], 0.75)],
)
def test_to_decline_everything_is_worth_nothing(right: list[float], refused: list[float], expected: float) -> None:
    found = reliability(np.array(right), np.array(refused))
    assert found["reliability"].value == pytest.approx(expected)
    if refused == [1.0]:
        assert found["truthfulness"].value == 1.0 and not found["precision"].known


def test_shares_truth_values_and_missing_rows(tmp_path: Path) -> None:
    columns = {"known": [True, False, None], "declined": [False, True, False]}
    facts = told(Reliability(right="known", refused="declined"), columns, tmp_path)
    assert (facts["rows"], facts["unread"], value(facts, "accuracy")) == (2, 1, 0.5)
    with pytest.raises(InputError, match="score.p_ik"):
        told(Reliability(), {"p_ik": [None, 1.0], "p_ik_refused": [0.0, None]}, tmp_path)


def test_intervals_of_reliability_cover() -> None:
    """200 sets of 300 questions with P(right) = 0.5, P(declined) = 0.3: some 190 hold 0.5 + 0.3 - 0.09."""
    held = 0
    for seed in range(200):
        draw = np.random.default_rng(seed).choice(3, 300, p=[0.5, 0.3, 0.2])
        found = reliability((draw == 0).astype(float), (draw == 1).astype(float))["reliability"]
        held += found.low <= 0.71 <= found.high
    assert 180 <= held <= 199


def test_a_blind_spot_by_hand(tmp_path: Path) -> None:
    """Others' errors: 8 of 10 put right; its own: 2, of those 8. (0.8 - 0.2) / 0.8 = 0.75."""
    own, theirs = [True] * 2 + [False] * 8, [True] * 8 + [False] * 2
    facts = told(BlindSpot(), {"corrected_own": [*own, None], "corrected_theirs": [*theirs, True]}, tmp_path)
    assert value(facts, "blind spot") == 0.75 and (facts["rows"], facts["unread"]) == (10, 1)
    assert (value(facts, "accuracy on its own errors"), value(facts, "accuracy on others' errors")) == (0.2, 0.8)
    assert told_of(facts, "blind spot")["reading"] == "blind to its own"  # type: ignore[index]
    assert told_of(facts, "answers with a marker of correction") is None


def test_the_standard_error_is_the_delta_methods() -> None:
    """By the textbook: Var = Var(m)/u² + m² Var(u)/u⁴ - 2 m Cov(m, u)/u³, over paired rows."""
    rng = np.random.default_rng(5)
    theirs = (rng.random(400) < 0.7).astype(float)
    own = theirs * (rng.random(400) < 0.4)
    u, m = theirs.mean(), own.mean()
    cov = np.cov(own, theirs) / 400
    variance = cov[0, 0] / u**2 + m**2 * cov[1, 1] / u**4 - 2 * m * cov[0, 1] / u**3
    found, error = blind_spot(own, theirs)
    assert found.value == pytest.approx((u - m) / u) and error == pytest.approx(np.sqrt(variance))
    assert found.low <= 0.6 <= found.high
    nothing, error = blind_spot(np.array([1.0, 0.0]), np.zeros(2))
    assert not nothing.known and np.isnan(error)


def test_no_pair_of_outcomes_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="synth.self_correction"):
        told(BlindSpot(), {"corrected_own": [None, True], "corrected_theirs": [True, None]}, tmp_path)


def test_markers_begin_sentences() -> None:
    texts = ["So 43. Wait, no: 42.", "Await the rest.", "I see.\nBut it is 42.", "all but one", "**However**, no", None]
    assert marked(text_answers(pa.array(texts)), ("Wait", "But", "However")).value == pytest.approx(3 / 5)
    assert marked(pa.array(texts), ("Await",)).value == pytest.approx(1 / 5)


def test_markers_are_counted_in_answers(tmp_path: Path) -> None:
    table = pa.table({
        "corrected_own": [True, False], "corrected_theirs": [True, True],
        "chosen": text_answers(pa.array(["It is 4. Wait, 5.", "It is 5."])),
    })  # fmt: skip
    facts = BlindSpot().sink(frames.TableFrame(table), frames.SinkContext.at(tmp_path))
    assert value(facts, "answers with a marker of correction") == 0.5


def test_real_answers_hold_hardly_any_marker(data: Path) -> None:
    """Over 95 % of ordinary post-training answers correct nothing, the paper says: so do these."""
    import gzip
    import json

    with gzip.open(data / "preferences" / "gsm8k_solutions.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["chosen"] for line in lines]
    found = marked(pa.array(texts), ("Wait", "Hold on", "Actually"))
    assert found.n == len(texts) and found.value < 0.05
