"""Hypotheses and actions: the crossing by hand, where hypotheses come from, what a missing score does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import CallError, InputError
from rather.core.paid import Reply
from rather.filters.hypotheses import Crossing, crossing
from rather.filters.score_hypothesis_cross import HypothesisCross

from ..judges import Asked, Said, between, candidates, judged


def test_consensus_takes_what_is_best_under_all() -> None:
    """Rows: leads over the means 5 and 6 are (2, -2, 0) and (3, -1, -2); the first action is best in both."""
    found = crossing(np.array([[7, 3, 5], [9, 5, 4]]))
    assert found == Crossing(0, True, (2.5, -1.5, -1.0))
    assert crossing(np.array([[5.0, 5.0], [4.0, 6.0]])) == Crossing(1, True, (-0.5, 0.5))


def test_disagreement_explores_under_the_most_optimistic_hypotheses() -> None:
    """The third hypothesis hopes for 9, the others for less: it alone decides."""
    found = crossing(np.array([[7, 3, 5], [2, 8, 5], [1, 2, 9]]))
    assert (found.pick, found.consensus) == (2, False) and found.worth == (-3.0, -2.0, 5.0)


def test_equal_hopes_are_parted_by_the_lead_over_random_actions() -> None:
    """Both hope for 9; under the first random actions fare well already (8), under the second they do not (2)."""
    matrix = np.array([[9, 4, 8, 8], [5, 9, 1, 3]])
    found = crossing(matrix, baseline=2)
    assert (found.pick, found.consensus) == (1, False)
    assert found.worth == ((1 + 3) / 2, (-4 + 7) / 2), "random actions have no worth and are never taken"
    assert crossing(matrix[:, :2]).pick == 0, "without them the mean of all actions: 9 - 6.5 against 9 - 7"


@pytest.mark.parametrize("matrix", [np.zeros((0, 3)), np.zeros((2, 0)), np.zeros((2, 1))])
def test_nothing_to_cross(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a hypothesis and an action"):
        crossing(matrix, baseline=1 if matrix.size else 0)


SCORES = {("be short", "yes"): 9, ("be short", "yes, truly"): 3, ("be warm", "yes"): 2, ("be warm", "yes, truly"): 8}


def scorer(asked: str) -> str:
    if "What is wanted" not in asked:
        raise AssertionError("no hypothesis is drawn")
    return str(SCORES[between(asked, "# What is wanted", "# The answer"), between(asked, "# The answer", "How good")])


def test_hypotheses_of_a_column() -> None:
    rows = candidates(("ok?", ["yes", None, "yes, truly"]), ("ok?", ["yes"]), ("ok?", None), why=[
        ["be short", " ", "be warm", "be short", "be late"], [], ["be short"],
    ])  # fmt: skip
    stage = HypothesisCross(hypotheses="why", draws=2)
    found, judge = judged(stage, rows, scorer)
    assert found["helix_matrix"] == [[[9.0, 3.0], [2.0, 8.0]], None, None]
    assert found["helix"] == [[3.0, None, -3.0], None, None], "under the hypothesis of the highest hope alone"
    assert found["helix_pick"] == [0, None, None] and found["helix_consensus"] == [False, None, None]
    assert found["helix_hypotheses"][0] == ["be short", "be warm"]
    assert found["helix_outcome"] == ["ok", "nothing to cross", None]
    assert len(judge.requests) == 4 and stage.calls_a_row() == 16
    with pytest.raises(InputError, match="no list of texts"):
        judged(HypothesisCross(hypotheses="why"), candidates(("ok?", ["yes"]), why=["be short"]), scorer)


def test_hypotheses_drawn_from_feedback() -> None:
    def rule(asked: str) -> Said:
        if "Write one guess" not in asked:
            return scorer(asked)
        assert "# Feedback that your guess must explain\ntoo long" in asked
        return "be short"

    rows = candidates(("ok?", ["yes, truly", "yes"]), said=["too long"])
    stage = HypothesisCross(feedback="said", draws=2)
    found, judge = judged(stage, rows, rule)
    assert found["helix_hypotheses"] == [["be short"]], "equal guesses count once"
    assert found["helix_pick"] == [1] and found["helix_consensus"] == [True] and found["helix"] == [[-3.0, 3.0]]
    assert [r.get("seed") for r in judge.requests] == [0, 1, None, None] and stage.calls_a_row() == 18


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("who knows", "unparsable"),
        ("11", "off_scale"),
        (Reply("", "refusal"), "refused"),
        (CallError("gone"), "failed"),
    ],
)
def test_a_hypothesis_without_a_sound_score_is_left_out(said: Said, outcome: str) -> None:
    rows = candidates(("ok?", ["yes", "yes, truly"]), why=[["be short", "be warm"]])
    stage = HypothesisCross(hypotheses="why")
    found, _ = judged(stage, rows, lambda a: said if "be warm" in a and "truly" in a else scorer(a))
    assert found["helix_hypotheses"] == [["be short"]] and found["helix_consensus"] == [True]
    found, _ = judged(stage, rows, lambda a: said)
    assert found["helix"] == [None] and found["helix_outcome"] == [outcome]
    drawn, _ = judged(
        HypothesisCross(), rows, lambda a: said if "one guess" in a and said != "11" else Reply("", "length")
    )
    assert drawn["helix_outcome"] == ["truncated" if said in ("11", "who knows") else outcome]


def test_random_candidates_serve_for_comparison_alone() -> None:
    rows = candidates(("ok?", ["yes", "yes, truly"]), ("ok?", ["yes"]), why=[["be warm"]] * 2)
    found, _ = judged(HypothesisCross(hypotheses="why", baseline=1), rows, scorer)
    assert found["helix"] == [[-6.0, None], None] and found["helix_pick"] == [0, None]
    assert found["helix_outcome"] == ["ok", "nothing to cross"]
    assert HypothesisCross(baseline=8).faults() == ["baseline (8) leaves no candidate of the 8 that are scored"]


def test_real_critiques_as_hypotheses(data: Path) -> None:
    lines = (data / "annotations" / "pandalm_human3.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    rows = [json.loads(line) for line in lines]
    batch = candidates(
        *((row["prompt"], [row["response_1"], row["response_2"]]) for row in rows),
        why=pa.array([[f"It answers {row['instruction'][:40]}", "It is brief."] for row in rows]).to_pylist(),
    )
    judge = Asked(lambda asked: "9" if any(r["response_1"][:30] in asked for r in rows) else "4")
    found, _ = judged(HypothesisCross(hypotheses="why"), batch, judge.rule)
    assert found["helix_consensus"] == [True] * 3 and set(found["helix_pick"]) == {0}
