"""Critiques by what they lead to: right revisions against fresh answers, and the rewards of Critique-RL."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.filters.critique_reward import CritiqueReward, CritiqueRewardGate, Reward, rewarded
from rather.filters.refine_success import RefineSuccess, RefineSuccessGate, from_first_step, leaks

from ..judges import FakeContext, Said, candidates, judged, pairs

FRESH = "Work the problem out"
GOOD, BAD = "Take 7 off first.\nConclusion: wrong", "Nice work.\nConclusion: right"


def batch(chosen: str = GOOD, rejected: str = BAD, **more: Any) -> pa.Table:
    columns: dict[str, Any] = {
        "question": ["How much?"], "response": ["13 left.\nA: 26"], "reference": ["#### 18"], "response_right": [False],
    }  # fmt: skip
    return pairs(("critic's prompt", chosen, rejected), **(columns | more))


def actor(fresh: list[str], **revised: list[str]) -> tuple[Any, dict[str, Iterator[Said]]]:
    """A rule that answers anew from `fresh` and revises by the first word of the critique, in turn."""
    turns: dict[str, Iterator[Said]] = {word: cycle(said) for word, said in {"": fresh, **revised}.items()}

    def rule(text: str) -> Said:
        word = "" if "remark" not in text else next(w for w in turns if w and text.startswith(w))
        return next(turns[word])

    return rule, turns


def test_pitfall_usefulness_is_what_a_critique_adds_to_answering_anew() -> None:
    stage = RefineSuccess(model="judge", of="pair", k=4, baseline=4)
    rule, _ = actor(["A: 18", "A: 20", "A: 20", "A: 20"], Take=["A: 18", "18", "A: 26", "$18"], Nice=["A: 26"])
    found, model = judged(stage, batch(), rule)
    assert found["chosen_usefulness"] == [0.5] and found["rejected_usefulness"] == [-0.25]
    assert found["chosen_usefulness_refined"] == [0.75] and found["rejected_usefulness_refined"] == [0.0]
    assert found["chosen_usefulness_baseline"] == [0.25] == found["rejected_usefulness_baseline"]
    assert found["chosen_usefulness_changed"] == [0.75] and found["rejected_usefulness_changed"] == [0.0]
    assert found["chosen_usefulness_outcome"] == ["ok"] and found["chosen_usefulness_leaks"] == [False]
    assert len(model.requests) == stage.calls_a_row() == 12
    assert {request["seed"] for request in model.requests} == {7, 8, 9, 10}


def test_the_critique_is_the_user_turn_after_the_first_answer() -> None:
    rule, _ = actor(["18"], Step=["18"])
    critique = "Let us see.\nStep 1: Wrong - take 7 off\nConclusion: wrong"
    _, model = judged(RefineSuccess(model="judge", k=1, baseline=1), batch(critique), rule)
    turns = next(r["messages"] for r in model.requests if len(r["messages"]) == 3)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == "13 left.\nA: 26" and turns[2]["content"].startswith("Step 1: Wrong - take 7 off")
    assert from_first_step("**Step 1:** Wrong") == "**Step 1:** Wrong" and from_first_step("No steps") == "No steps"


def test_replies_that_are_no_answer_do_not_count() -> None:
    stage = RefineSuccess(model="judge", k=3, baseline=1)
    rule, _ = actor(["20"], Take=["18", "I'm sorry, I can't help with that.", "20"])
    found, _ = judged(stage, batch(), rule)
    assert found["chosen_usefulness_refined"] == [0.5], "two of three replies are answers"
    rule, _ = actor(["20"], Take=["18", *["I'm sorry, I can't help with that."] * 2])
    found, _ = judged(stage, batch(), rule)
    assert found["chosen_usefulness"] == [None] == found["chosen_usefulness_refined"]
    assert found["chosen_usefulness_outcome"] == ["refused"]
    found, _ = judged(stage, batch(), lambda _: CallError("down"))
    assert found["chosen_usefulness"] == [None] and found["chosen_usefulness_outcome"] == ["failed"]


def test_rows_without_a_reference_or_a_critique_are_null() -> None:
    found, model = judged(RefineSuccess(model="judge"), batch(reference=pa.array([None], pa.string())), lambda _: "18")
    assert found["chosen_usefulness_outcome"] == [None] and model.requests == []
    lists = candidates(("p", ["Take it.", None]), question=["q"], response=["A: 2"], reference=["A: 3"])
    found, model = judged(RefineSuccess(model="judge", of="candidates", k=2, baseline=2), lists, lambda _: "A: 3")
    assert found["usefulness"] == [[0.0, None]] and found["usefulness_refined"] == [[1.0, None]]
    assert len(model.requests) == 4


@pytest.mark.parametrize(
    ("critique", "reference", "shown", "said"),
    [
        ("It should be 18.", "#### 18", "26", True),
        ("It should be 1,800.", "#### 1800", "26", True),
        ("It should be 118 or 18.5.", "#### 18", "26", False),
        ("Take 18 off.", "#### 18", "There are 18 eggs", False),
        ("It is Paris.", "The answer is: Paris", "Lyon", True),
        ("Check it.", "#### 18", "26", False),
    ],
)
def test_pitfall_a_critique_that_tells_the_result_is_marked(
    critique: str, reference: str, shown: str, said: bool
) -> None:
    assert leaks(critique, reference, shown) is said


def test_the_gate_by_what_the_response_was() -> None:
    table = pa.table(
        {
            "response_right": pa.array([False, False, False, True, True, False, None, False]),
            "chosen_usefulness": pa.array([0.5, 0.1, -0.2, 0.0, -0.5, 0.5, 0.5, None]),
            "chosen_usefulness_refined": pa.array([0.6, 0.2, 0.4, 1.0, 0.5, 0.9, 0.9, None]),
            "chosen_usefulness_leaks": pa.array([False, False, False, False, False, True, False, None]),
        }
    )
    reasons = RefineSuccessGate().why_drop(table).to_pylist()
    assert reasons == [
        None, "too few right revisions", "no better than answering anew", None, "breaks a right response",
        "tells the result", "not known whether the response is right", "revisions not judged",
    ]  # fmt: skip
    assert RefineSuccessGate(leaking=True).why_drop(table).to_pylist()[5] is None
    assert RefineSuccessGate(least=0.7).why_drop(table).to_pylist()[0] == "too few right revisions"
    assert RefineSuccessGate(least_kept=0.5).why_drop(table).to_pylist()[4] is None


@pytest.mark.parametrize(
    ("reward", "said", "right", "share", "expected"),
    [
        ("verdict", "wrong", False, None, 1.0),
        ("verdict", "right", False, None, -1.0),
        ("verdict", None, False, None, -1.0),
        ("verdict", "right", None, None, None),
        ("verdict_and_help", "wrong", False, 1.0, 1.2),
        ("verdict_and_help", "right", True, 0.0, 0.2),
        ("verdict_and_help", "right", False, 1.0, -1.0),
        ("verdict_and_help", None, True, 1.0, -1.0),
        ("verdict_and_help", "wrong", False, None, None),
        ("change", "right", True, 0.0, -1.0),
        ("change", "wrong", False, 1.0, 1.0),
        ("change", "right", True, 1.0, 0.0),
        ("gain", "wrong", False, 1.0, 1.0),
        ("gain", "right", True, 1.0, 0.2),
        ("gain", "right", True, 0.0, 0.0),
        ("gain", "wrong", False, None, None),
    ],
)
def test_rewards_by_hand(
    reward: Reward, said: str | None, right: bool | None, share: float | None, expected: float | None
) -> None:
    assert rewarded(reward, said, right, share) == expected


def test_rewards_of_pairs_and_candidates() -> None:
    table = batch(chosen_usefulness_refined=[1.0], rejected_usefulness_refined=[1.0])
    found = CritiqueReward(of="pair").score(table, FakeContext({}))
    assert found["chosen_critique_reward"].to_pylist() == [1.2]
    assert found["rejected_critique_reward"].to_pylist() == [-1.0], "a false verdict loses, whatever the revision"
    found = CritiqueReward(reward="verdict").score(batch(), FakeContext({}))
    assert found["chosen_critique_reward"].to_pylist() == [1.0]
    lists = candidates(("p", [GOOD, BAD, "no verdict"]), response_right=[False], usefulness_refined=[[0.5, 1.0, 1.0]])
    found = CritiqueReward(of="candidates").score(lists, FakeContext({}))
    assert found["critique_reward"].to_pylist() == [[0.7, -1.0, -1.0]]


def test_the_gate_keeps_rewards_above_zero() -> None:
    table = pa.table({"chosen_critique_reward": pa.array([1.2, 0.0, -1.0, None])})
    assert CritiqueRewardGate().why_drop(table).to_pylist() == [None, "reward too low", "reward too low", "no reward"]
    assert CritiqueRewardGate(above=-0.5).why_drop(table).to_pylist()[1] is None


def test_real_solutions(data: Path) -> None:
    """An actor that copies the reference when the critique says so, and its old answer otherwise."""
    with gzip.open(data / "preferences" / "gsm8k_solutions.jsonl.gz", "rt") as lines:
        records = [json.loads(line) for line in islice(lines, 3)]
    truths = [record["extra"]["ground_truth"] for record in records]
    table = pairs(
        *[("p", f"Redo {k}.\nConclusion: wrong", "Fine.\nConclusion: right") for k in range(3)],
        question=[r["prompt"] for r in records], response=[r["rejected"] for r in records], reference=truths,
        response_right=[False] * 3,
    )  # fmt: skip

    def rule(text: str) -> Said:
        return truths[int(text[5])] if text.startswith("Redo") else Reply("The answer is: -1")

    stage = RefineSuccess(model="judge", of="pair", k=2, baseline=2)
    found, _ = judged(stage, table, rule)
    assert found["chosen_usefulness"] == [1.0] * 3 and found["rejected_usefulness"] == [0.0] * 3
