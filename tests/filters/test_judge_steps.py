"""Steps in windows, the gate on them, and personas sentence by sentence."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.filters.judge_steps import JudgeSteps, ProductiveSteps
from rather.filters.score_persona import (
    PersonaAtomic,
    accuracy,
    internal_consistency,
    retest_consistency,
    sentences,
    wasserstein,
)

from ..judges import Said, between, candidates, judged, pairs


def trail(*words: str) -> list[dict[str, object]]:
    return [{"text": word, "label": None} for word in words]


ROWS = pairs(
    ("tidy up", "a", "b"), ("rest", "a", "b"), ("none", "a", "b"),
    steps=[trail("lift", "drop", "lift", "wait", "lift"), trail("wait"), None],
)  # fmt: skip


def productive(prompt: str) -> str:
    steps = re.findall(r"^(\d+)\. (\w+)$", prompt, re.MULTILINE)
    return json.dumps({number: word == "lift" for number, word in steps})


def test_windows_of_steps_are_put_together_again() -> None:
    stage = JudgeSteps(window=2, before=1)
    found, judge = judged(stage, ROWS, productive)
    assert found["steps_productive"] == [[True, False, True, False, True], [False], None]
    assert found["steps_share"] == [0.6, 0.0, None] and found["steps_outcome"] == ["ok", "ok", None]
    assert len(judge.requests) == 3 + 1 and JudgeSteps(most=50).calls_a_row() == 3
    befores = [r["messages"][-1]["content"] for r in judge.requests]
    assert sum("# What was done before\ndrop" in text for text in befores) == 1
    assert judged(JudgeSteps(most=3), ROWS, productive)[0]["steps_share"] == [None, 0.0, None]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("fine", "unparsable"), (CallError("gone"), "failed"), (Reply('{"1": tr', "length"), "truncated")],
)
def test_a_window_without_a_verdict_leaves_the_row_unjudged(said: Said, outcome: str) -> None:
    found, _ = judged(JudgeSteps(window=2), ROWS, lambda p: said if "1. lift\n2. wait" in p else productive(p))
    assert found["steps_productive"][0] is None and found["steps_outcome"] == [outcome, "ok", None]


def test_the_gate_wants_enough_productive_steps() -> None:
    batch = pa.table({"steps_share": pa.array([0.6, 0.5, 0.4, None])})
    assert ProductiveSteps().why_drop(batch).to_pylist() == [
        None, None, "too few productive steps", "steps not judged",
    ]  # fmt: skip


def test_personas_by_hand() -> None:
    """Scores 5, 4, 1: two of three in the upper third; σ = √(26/9), so that IC = 1 - σ / 2."""
    assert accuracy([5, 4, 1], "high") == pytest.approx(2 / 3) and accuracy([3, 1], "middle") == 0.5
    assert internal_consistency([5, 4, 1]) == pytest.approx(1 - (26 / 9) ** 0.5 / 2)
    assert internal_consistency([1, 5]) == 0.0 and internal_consistency([2, 2]) == 1.0
    assert wasserstein([1, 1], [5, 5]) == 4.0 and wasserstein([1, 3], [2, 2]) == 1.0
    assert wasserstein([1, 2, 3], [3, 2, 1]) == 0.0
    assert retest_consistency([[1], [5]]) == -1.0 and retest_consistency([[2, 3], [3, 2]]) == 1.0
    assert retest_consistency([[1], [3], [5]]) == pytest.approx((0.0 + 0.0 - 1.0) / 3)
    assert retest_consistency([[3]]) is None


def test_sentences() -> None:
    assert sentences("Hi there! How are you? I am well.\n- one\n\n") == [
        "Hi there!",
        "How are you?",
        "I am well.",
        "- one",
    ]
    assert sentences("No end") == ["No end"] and sentences(" \n") == []


LOUD = {"Wow!": "5", "Great!": "4", "Hm.": "1"}


def test_each_sentence_is_scored_alone() -> None:
    rows = candidates(("p", ["Wow! Great! Hm.", "Wow!", ""]), ("q", None))
    found, judge = judged(PersonaAtomic(), rows, lambda p: LOUD[between(p, "# Sentence", "Answer with")])
    assert found["persona_atoms"] == [[[5.0, 4.0, 1.0], [5.0], None], None]
    assert found["persona_acc"] == [[pytest.approx(2 / 3), 1.0, None], None]
    distance = wasserstein([5, 4, 1], [5])
    assert found["persona_rc"] == [pytest.approx(2 * (1 - distance / 4) - 1), None] and len(judge.requests) == 4
    found, _ = judged(PersonaAtomic(target="low"), rows, lambda p: "6" if "Wow" in p else "1")
    assert found["persona_atoms"] == [[[1.0, 1.0], None, None], None] and found["persona_acc"][0][0] == 1.0
    assert found["persona_outcome"] == [["ok", "off_scale", None], None] and found["persona_rc"] == [None, None]
    of_pair = judged(PersonaAtomic(of="pair"), pairs(("p", "Wow! Hm.", "Hm.")), lambda p: "2")[0]
    assert of_pair["chosen_persona_ic"] == [1.0] and "persona_rc" not in of_pair
