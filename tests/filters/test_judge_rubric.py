"""Rubrics, references, single-token verdicts and claims: formulas by hand, every outcome."""

from __future__ import annotations

import json
import re

import pytest
from rather.core.errors import CallError, CallRefused
from rather.core.paid import Reply
from rather.filters.judge_claims import JudgeClaims
from rather.filters.judge_reference import JudgeMetrics, JudgeReference
from rather.filters.judge_rubric import Criterion, JudgeRubric, rubric_score
from rather.filters.judge_single_token import JudgeSingleToken, ruled

from ..judges import between, candidates, judged, pairs, with_chances

RUBRIC = [
    {"id": "a", "criterion": "says four", "weight": 3.0, "kind": "principle"},
    {"id": "b", "criterion": "is short", "weight": None, "kind": "principle"},
    {"id": "c", "criterion": "no swearing", "weight": 1.0, "kind": "hard_rule"},
]
BAD = [
    ("well", "unparsable"),
    (Reply("", "content_filter"), "refused"),
    (CallRefused("400: content policy"), "refused"),
    (Reply('{"1": {"me', "length"), "truncated"),
    (CallError("gone"), "failed"),
]


def met(*hits: bool) -> str:
    return json.dumps({str(k): {"why": "so", "met": hit} for k, hit in enumerate(hits, 1)})


def test_the_score_is_the_weighted_share_and_a_failed_hard_rule_fails_the_whole() -> None:
    """Weights 3, 1 and 1: met, not met, met → 4 / 5; a hard rule not met → 0."""
    rows = pairs(("2+2?", "four, as everybody knows", "damned four"), rubric=[RUBRIC])
    found, judge = judged(
        JudgeRubric(), rows, lambda p: met(True, True, False) if "damned" in p else met(True, False, True)
    )
    assert found["chosen_rubric_score"] == [pytest.approx(0.8)] and found["rejected_rubric_score"] == [0.0]
    assert found["chosen_rubric_score_failed"] == [False] and found["rejected_rubric_score_failed"] == [True]
    assert found["chosen_rubric_score_met"] == [[True, False, True]]
    text = judge.requests[0]["messages"][-1]["content"]
    assert "1. says four\n" in text and "3. no swearing (a hard rule)" in text
    assert judge.requests[0]["schema"]["required"] == ["1", "2", "3"] and len(judge.requests) == 2


def test_rubric_score_by_hand() -> None:
    lines = [Criterion(criterion="x", weight=2), Criterion(criterion="y", weight=6)]
    assert rubric_score(lines, [True, False]) == (0.25, False)
    assert rubric_score([Criterion(criterion="x", weight=0, hard=True)], [True]) == (1.0, False)


def test_a_rubric_for_all_rows_and_rows_without_any() -> None:
    criteria = (Criterion(criterion="polite"),)
    rows = candidates(("p", ["a", "b"]), ("q", ["c"]))
    found, _ = judged(JudgeRubric(criteria=criteria, of="candidates"), rows, lambda p: met("\na\n" in p))
    assert found["rubric_score"] == [[1.0, 0.0], [0.0]] and found["rubric_score_met"] == [[[True], [False]], [[False]]]
    assert "rubric" not in JudgeRubric(criteria=criteria).columns_read()
    bare = pairs(("p", "a", "b"), ("p", "a", "b"), rubric=[None, RUBRIC[:1]])
    found, judge = judged(JudgeRubric(of="chosen"), bare, lambda _: met(True))
    assert found["chosen_rubric_score"] == [None, 1.0] and found["chosen_rubric_score_outcome"] == [None, "ok"]


@pytest.mark.parametrize(("said", "outcome"), [*BAD, (met(True), "unparsable")])
def test_a_rubric_reply_that_is_not_whole_gives_no_score(said: str | Reply | CallError, outcome: str) -> None:
    rows = pairs(("p", "good", "bad"), rubric=[RUBRIC])
    found, _ = judged(JudgeRubric(), rows, lambda p: said if "bad" in p else met(True, True, True))
    assert found["rejected_rubric_score"] == [None] and found["rejected_rubric_score_failed"] == [None]
    assert found["rejected_rubric_score_outcome"] == [outcome] and found["chosen_rubric_score"] == [1.0]


def test_a_reference_is_written_without_seeing_an_answer() -> None:
    found, judge = judged(JudgeReference(), pairs(("2+2?", "secret_a", "secret_b")), lambda p: "It is 4.")
    assert found == {"reference": ["It is 4."], "reference_outcome": ["ok"]}
    assert "secret" not in str(judge.requests) and judge.requests[0]["max_tokens"] == 384
    found, _ = judged(JudgeReference(), pairs(("p", "a", "b")), lambda _: Reply("It is fo", "length"))
    assert found == {"reference": [None], "reference_outcome": ["truncated"]}


def test_metrics_are_the_first_questions() -> None:
    said = "Here are some:\n1. Is it four?\n2) Is it short?\n- Is it kind?\n3. Is it late?"
    found, _ = judged(JudgeMetrics(), pairs(("2+2?", "a", "b")), lambda _: said)
    assert found["metrics"] == ["1. Is it four?\n2. Is it short?\n3. Is it kind?"]
    found, _ = judged(JudgeMetrics(most=1), pairs(("2+2?", "a", "b")), lambda _: "It must be right.")
    assert found == {"metrics": [None], "metrics_outcome": ["unparsable"]}


def test_the_ruling_by_principles() -> None:
    """Two of three principles win whatever the mean; at one each, and one even, the mean decides."""
    assert ruled([0.6, 0.6, 0.0]).verdict == "chosen" and ruled([0.6, 0.6, 0.0]).wins == 2
    assert ruled([0.9, 0.3]).verdict == "chosen" and ruled([0.6, 0.3]).verdict == "rejected"
    assert ruled([0.5, 0.5]).verdict == "tie" and ruled([0.5, 0.5]).p == 0.5
    assert ruled([0.1, 0.45, 0.9, 0.3]).verdict == "rejected"


def test_single_token_takes_the_softmax_of_both_orders() -> None:
    """truth: ½(.8 + .6) = .7 for chosen; tone: ½(.5 + .3) = .4; mean .55 decides at one win each."""
    chances = {("truth", "good"): 0.8, ("truth", "bad"): 0.4, ("tone", "good"): 0.5, ("tone", "bad"): 0.7}

    def rule(prompt: str) -> Reply:
        principle = between(prompt, "# Principle", "By this")
        a = chances[principle, between(prompt, "# Answer A", "# Answer B")]
        return with_chances("A", {"A": a * 0.9, "B": (1 - a) * 0.9, "so": 0.1})

    stage = JudgeSingleToken(principles=("truth", "tone"))
    found, judge = judged(stage, pairs(("p", "good", "bad"), ("p", "x", None)), rule)
    assert found["self_p_by_principle"] == [pytest.approx([0.7, 0.4]), None]
    assert found["self_p"] == [pytest.approx(0.55), None] and found["self_p_wins"] == [1, None]
    assert found["self_p_verdict"] == ["chosen", None] and found["self_p_outcome"] == ["ok", None]
    assert len(judge.requests) == 4 == stage.calls_a_row()
    assert all(r["max_tokens"] == 1 and r["logprobs"] == 20 for r in judge.requests)


@pytest.mark.parametrize(("said", "outcome"), [("A", "unparsable"), (CallError("gone"), "failed")])
def test_a_single_token_without_chances_is_no_verdict(said: str | CallError, outcome: str) -> None:
    found, _ = judged(JudgeSingleToken(), pairs(("p", "a", "b")), lambda _: said)
    assert found["self_p"] == [None] and found["self_p_outcome"] == [outcome]


FACTS = {"Bern is in Peru. It is big.": ["in Peru", "big"], "Bern is in Europe.": ["in Europe"], "Hello!": []}
TRUE = {"in Peru": False, "big": False, "in Europe": True}


def split_or_check(prompt: str) -> str:
    if "List at most" in prompt:
        facts = FACTS[between(prompt, "# Answer", "List at most")]
        return json.dumps({"claims": [{"fact": fact, "question": f"Is it {fact}?"} for fact in facts]})
    fact = re.search(r"Is it (.+)\?", prompt)
    assert fact is not None
    return "yes" if TRUE[fact[1]] else "No."


def test_claims_are_split_once_and_each_is_asked_alone() -> None:
    rows = candidates(("Where is Bern?", list(FACTS)))
    found, judge = judged(JudgeClaims(), rows, split_or_check)
    assert found["claims_score"] == [[-2.0, 0.0, 0.0]] and found["claims_score_claims"] == [[2, 1, 0]]
    assert found["claims_score_rejected"] == [[["in Peru", "big"], [], []]]
    assert len(judge.requests) == 3 + 3
    checks = [r["messages"][-1]["content"] for r in judge.requests if "# Question" in r["messages"][-1]["content"]]
    assert not any("Bern is in" in text for text in checks), "the answer is not shown with a question"
    found, _ = judged(JudgeClaims(normalise="per_claim"), rows, split_or_check)
    assert found["claims_score"] == [[-1.0, 0.0, 0.0]]


def test_a_soft_claim_is_denied_when_no_is_likelier() -> None:
    """p(no) = .45 + .05 against p(yes) = .4: denied though the token said is yes."""

    def rule(prompt: str) -> str | Reply:
        if "List at most" in prompt:
            return split_or_check(prompt)
        return with_chances("yes", {"yes": 0.4, "no": 0.45, "No": 0.05})

    found, _ = judged(JudgeClaims(of="chosen", soft=True), pairs(("p", "Bern is in Europe.", None)), rule)
    assert found["chosen_claims_score"] == [-1.0]


@pytest.mark.parametrize("part", ["List at most", "# Question"])
@pytest.mark.parametrize(("said", "outcome"), BAD)
def test_a_split_or_a_check_that_fails_leaves_no_score(part: str, said: str | Reply | CallError, outcome: str) -> None:
    rows = pairs(("p", "Bern is in Europe.", "Bern is in Peru. It is big."))
    found, _ = judged(JudgeClaims(of="pair"), rows, lambda p: said if part in p and "Peru" in p else split_or_check(p))
    assert found["chosen_claims_score"] == [0.0] and found["rejected_claims_score"] == [None]
    assert found["rejected_claims_score_outcome"] == [outcome]
