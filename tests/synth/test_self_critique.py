"""Critic-RM: critiques with scores, consistency with the label, and merging."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.filters.critique_consistency import CritiqueConsistency
from rather.synth.critique_merge import CritiqueMerge
from rather.synth.self_critique import SelfCritique, consistency, noise_score

from .scripted import Script, ran, row_of

ROW = row_of("Name a prime.", chosen="Three", rejected="Four")
THREE, FOUR = "# Answer under review\nThree", "# Answer under review\nFour"


def scored(*scores: float) -> list[str]:
    return [f"Remark {k}.\nScore: {score:g}" for k, score in enumerate(scores)]


def test_scores_that_bear_out_the_label() -> None:
    stage = SelfCritique(n=3)
    found, model = ran(stage, ROW, [(THREE, scored(9, 8, 7)), (FOUR, scored(2, 3, 1))])
    [row] = found
    assert row["chosen_critiques"] == [
        {"text": f"Remark {k}.\nScore: {s}", "critic": "scripted", "score": float(s), "verdict": None}
        for k, s in enumerate((9, 8, 7))
    ]
    assert (row["chosen_critique_score"], row["rejected_critique_score"]) == (8.0, 2.0)
    assert row["consistency"] == "agree" and row["noise_score"] == 0.0
    assert len(model.asked) == stage.calls_a_row() == 6


@pytest.mark.parametrize(
    ("ours", "theirs", "said"), [((4, 4, 4), (6, 6, 6), "conflict"), ((4, 6, 5), (5, 5, 5), "tie")]
)
def test_pitfall_equal_means_are_ties_and_no_conflicts(
    ours: tuple[int, ...], theirs: tuple[int, ...], said: str
) -> None:
    [row], _ = ran(SelfCritique(n=3), ROW, [(THREE, scored(*ours)), (FOUR, scored(*theirs))])
    assert row["consistency"] == said
    assert row["noise_score"] == (1.0 if said == "conflict" else pytest.approx(0.5, abs=0.05))


def test_pitfall_a_score_that_cannot_be_read_is_no_zero() -> None:
    broken = [*scored(9, 9), "Fine, all in all."]
    [row], _ = ran(SelfCritique(n=3, least=2), ROW, [(THREE, broken), (FOUR, scored(2, 3, 1))])
    assert row["chosen_critique_score"] == 9.0 and len(row["chosen_critiques"]) == 2
    [few], _ = ran(SelfCritique(n=3), ROW, [(THREE, broken), (FOUR, scored(2, 3, 1))])
    assert few["consistency"] is None and few["noise_score"] is None and few["chosen_critique_score"] is None
    assert few["rejected_critique_score"] == 2.0
    off = [Reply("Superb.\nScore: 11"), *scored(9, 9)[1:], "Score: 9"]
    [row], _ = ran(SelfCritique(n=3, least=2), ROW, [(THREE, off), (FOUR, scored(2, 3, 1))])
    assert len(row["chosen_critiques"]) == 2


def test_the_noise_score_by_hand() -> None:
    """One critique of 5 against critiques of 4 and 8: the resampled means are 4, 6, 6, 8 with equal chances."""
    ours, theirs = np.array([5.0]), np.array([4.0, 8.0])
    assert noise_score(ours, theirs, np.random.default_rng(0), 20_000) == pytest.approx(0.75, abs=0.01)
    assert noise_score(theirs, ours, np.random.default_rng(0), 20_000) == pytest.approx(0.25, abs=0.01)
    assert consistency(np.array([1.0, 2.0]), np.array([1.5])) == "tie"


def test_the_gate_keeps_what_agrees() -> None:
    batch = pa.table(
        {
            "consistency": pa.array(["agree", "conflict", "tie", None, "agree"]),
            "noise_score": pa.array([0.1, 1.0, 0.5, None, 0.4]),
        }
    )
    conflict, few = "critiques conflict with the label", "too few sound critiques"
    reasons = CritiqueConsistency().why_drop(batch).to_pylist()
    assert reasons == [None, conflict, "critiques tie", few, None]
    assert CritiqueConsistency(ties="keep").why_drop(batch).to_pylist() == [None, conflict, None, few, None]
    strict = CritiqueConsistency(most_noise=0.2).why_drop(batch).to_pylist()
    assert strict == [None, conflict, "critiques tie", few, "noise score above most_noise"]


def critiqued(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> dict[str, Any]:
    columns = {
        f"{side}_critiques": [{"text": t, "critic": "critic", "score": s, "verdict": None} for t, s in critiques]
        for side, critiques in (("chosen", ours), ("rejected", theirs))
    }
    return ROW | columns


def test_critiques_are_merged_into_one_with_their_mean_score() -> None:
    row = critiqued([("Right.\nScore: 9", 9.0), ("Terse.\nScore: 6", 6.0)], [("Wrong.\nScore: 1", 1.0)])
    script: Script = [
        (["## Review 1\nRight.", "## Review 2\nTerse."], "Right, if terse.\n"),
        ("## Review 1\nWrong.", "Wrong.\nScore: 3"),
    ]
    found, model = ran(CritiqueMerge(), row, script)
    origin = {
        "stage": "synth.critique_merge", "method": "summ", "params": '{"side":"chosen","top":1}', "model": "scripted",
        "seed": 7,
    }  # fmt: skip
    [ours, theirs] = found
    text = "Right, if terse.\nScore: 8"
    asked = ours.pop("prompt")
    assert ours == {
        "chosen": {"text": text, "turns": None, "image": None, "model": "scripted", "made_by": origin},
        "rejected": None, "verdict": None, "question": "Name a prime.", "response": "Three", "response_from": "chosen",
        "critique": {"text": text, "critic": "critic", "score": 7.5, "verdict": None}, "merge": "summ",
        "meta_score": None, "chosen_critiques": None, "rejected_critiques": None,
    }  # fmt: skip
    assert asked[0]["content"].endswith("Question:\nName a prime.\n\nSolution:\nThree")
    assert '"Score: "' in asked[0]["content"] and "Conclusion" not in asked[0]["content"]
    assert theirs["chosen"]["text"] == "Wrong.\nScore: 1", "the score is the critiques', not the merger's"
    assert not any("Score: 9" in text for text in model.asked) and len(model.asked) == CritiqueMerge().calls_a_row()


def test_the_best_critiques_stay() -> None:
    row = critiqued([("Right.\nScore: 9", 9.0), ("Terse.\nScore: 6", 6.0), ("Odd", 5.0)], [("Wrong.", 1.0)])
    script: Script = [
        ("# Review\nRight.", "4"),
        ("# Review\nTerse.", "8"),
        ("# Review\nOdd", "no"),
        ("# Review\nWrong.", "10"),
    ]
    found, _ = ran(CritiqueMerge(merge="rank", top=2), row, script)
    told = [(r["response_from"], r["chosen"]["text"], r["meta_score"]) for r in found]
    assert told == [
        ("chosen", "Terse.\nScore: 6", 8.0),
        ("chosen", "Right.\nScore: 9", 4.0),
        ("rejected", "Wrong.\nScore: 1", 10.0),
    ]
    assert ran(CritiqueMerge(merge="rank"), row, [("# Review", "no idea")])[0] == Drop("rate: unparsable")


def test_all_critiques_may_stay_and_none_may_be_there() -> None:
    row = critiqued([("Right.\nScore: 9", 9.0), ("Terse.\nScore: 6", 6.0)], [])
    found, model = ran(CritiqueMerge(merge="none"), row, [])
    assert [r["chosen"]["text"] for r in found] == ["Right.\nScore: 9", "Terse.\nScore: 6"] and model.asked == []
    assert ran(CritiqueMerge(), critiqued([], []), [])[0] == Drop("no critiques")
    assert ran(CritiqueMerge(), row, [("# Reviews", "")])[0] == Drop("merge: unparsable", {"reply": "nothing was said"})


def test_a_tie_has_no_label_to_bear_out() -> None:
    assert ran(SelfCritique(), ROW | {"verdict": "tie"}, [])[0] == Drop("tie")


def test_mistakes_in_options() -> None:
    assert SelfCritique(n=2, least=3).faults() == ["least (3) is above n (2)"]
    assert SelfCritique(low=5, high=5).faults() == ["low (5) is not below high (5)"]
