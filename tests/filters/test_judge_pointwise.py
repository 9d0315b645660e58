"""`judge.pointwise`: expected scores by hand, samples, aspects, every outcome."""

from __future__ import annotations

import math

import pytest
from rather.core.errors import CallError, CallRefused
from rather.core.paid import Reply
from rather.filters.judge_pointwise import JudgePointwise

from ..judges import between, candidates, judged, pairs, with_chances

ROWS = candidates(("p", ["good", "bad", None]), ("q", None), ("r", ["fair"]))
SCORES = {"good": "9", "bad": "2", "fair": "5"}


def by_word(prompt: str) -> str:
    return SCORES[between(prompt, "# Answer", "Answer with")]


def test_a_score_for_every_candidate_in_its_place() -> None:
    found, judge = judged(JudgePointwise(of="candidates"), ROWS, by_word)
    assert found["judge_score"] == [[9.0, 2.0, None], None, [5.0]]
    assert found["judge_score_outcome"] == [["ok", "ok", None], None, ["ok"]]
    assert found["judge_score_entropy"] == [[None, None, None], None, [None]]
    assert len(judge.requests) == 3
    found, judge = judged(JudgePointwise(of="candidates", most=1), ROWS, by_word)
    assert found["judge_score"] == [[9.0, None, None], None, [5.0]] and len(judge.requests) == 2


def test_both_sides_of_a_pair_or_chosen_alone() -> None:
    rows = pairs(("p", "good", "bad"), ("q", "fair", None))
    found, _ = judged(JudgePointwise(column="merit"), rows, by_word)
    assert found["chosen_merit"] == [9.0, 5.0] and found["rejected_merit"] == [2.0, None]
    assert found["rejected_merit_outcome"] == ["ok", None]
    found, judge = judged(JudgePointwise(of="chosen"), rows, by_word)
    assert found["chosen_judge_score"] == [9.0, 5.0] and len(judge.requests) == 2
    assert JudgePointwise(of="chosen").columns_read()[-1] == "chosen"


def test_the_expected_score_is_the_weighted_mean_over_the_scale() -> None:
    """p(4) = .6, p(5) = .3, p(of another word) = .1: (4·.6 + 5·.3) / .9 = 13/3; entropy of (2/3, 1/3)."""
    chances = {"4": 0.6, "5": 0.3, "good": 0.1}
    found, _ = judged(
        JudgePointwise(of="chosen", soft=True, high=5), pairs(("p", "a", "b")), lambda _: with_chances("4", chances)
    )
    assert found["chosen_judge_score"][0] == pytest.approx(13 / 3)
    expected = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert found["chosen_judge_score_entropy"][0] == pytest.approx(expected)


def test_without_log_probabilities_the_samples_count() -> None:
    """Three of four replies are sound: (7 + 7 + 9) / 3; shares 2/3 and 1/3."""
    reply = Reply("7", data={"texts": ["7", "well", "9", "7"], "finishes": ["stop"] * 4})
    stage = JudgePointwise(of="chosen", soft=True, samples=4, temperature=1)
    found, judge = judged(stage, pairs(("p", "a", "b")), lambda _: reply)
    assert found["chosen_judge_score"][0] == pytest.approx(23 / 3)
    assert found["chosen_judge_score_entropy"][0] == pytest.approx(math.log(3) - 2 / 3 * math.log(2))
    assert judge.requests[0]["n"] == 4
    half = Reply("7", data={"texts": ["7", "well", "hm", "7"]})
    found, _ = judged(stage, pairs(("p", "a", "b")), lambda _: half)
    assert found["chosen_judge_score"] == [None] and found["chosen_judge_score_outcome"] == ["unparsable"]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("great", "unparsable"),
        ("I'm sorry, I cannot judge that.", "refused"),
        (CallRefused("400: content policy"), "refused"),
        (Reply("The answer is", "length"), "truncated"),
        ("11", "off_scale"),
        (CallError("gone"), "failed"),
    ],
)
def test_only_a_score_on_the_scale_is_a_number(said: str | Reply | CallError, outcome: str) -> None:
    found, _ = judged(JudgePointwise(), pairs(("p", "good", "bad")), lambda p: said if "bad" in p else "8")
    assert found["chosen_judge_score"] == [8.0] and found["chosen_judge_score_outcome"] == ["ok"]
    assert found["rejected_judge_score"] == [None] and found["rejected_judge_score_outcome"] == [outcome]


def test_aspects_are_asked_one_by_one_and_averaged() -> None:
    stage = JudgePointwise(of="chosen", aspects=("clarity", "truth"))
    found, judge = judged(stage, pairs(("p", "a", "b")), lambda p: "4" if "clarity" in p else "9")
    assert found["chosen_judge_score"] == [6.5] and found["chosen_judge_score_by_aspect"] == [[4.0, 9.0]]
    assert len(judge.requests) == 2 == stage.calls_a_row()
    found, _ = judged(stage, pairs(("p", "a", "b")), lambda p: "4" if "clarity" in p else "none")
    assert found["chosen_judge_score"] == [None] and found["chosen_judge_score_outcome"] == ["unparsable"]


def test_anchors_and_reference_reach_the_prompt() -> None:
    stage = JudgePointwise(of="chosen", anchors={1: "useless", 10: "perfect"}, reference="gold_text")
    _, judge = judged(stage, pairs(("p", "a", "b"), gold_text=["the truth"]), lambda _: "3")
    system, user = (message["content"] for message in judge.requests[0]["messages"])
    assert "10: perfect" in system and "the truth" in user


def test_options_that_do_not_fit_are_faults() -> None:
    assert JudgePointwise(low=3, high=3).faults() and JudgePointwise(samples=3).faults()
    assert "11" in JudgePointwise(anchors={11: "x"}).faults()[0]
    assert not JudgePointwise().faults()
