"""H², hindsight, P(True), P(IK) and self-consistency: values by hand and every outcome."""

from __future__ import annotations

import pytest
from rather.core.errors import CallError, CallRefused
from rather.core.final_answer import final_answer
from rather.core.paid import Reply
from rather.filters.judge_h2 import JudgeH2
from rather.filters.judge_hindsight import JudgeHindsight
from rather.filters.score_consistency import PIK, SelfConsistency
from rather.filters.score_p_true import PTrue

from ..judges import Said, candidates, judged, pairs, with_chances

ONE = pairs(("Which camera?", "buy the Zoomtron", "I cannot know"))
BAD = [
    ("", "unparsable"),
    (CallRefused("400: content policy"), "refused"),
    (Reply("", "content_filter"), "refused"),
    (CallError("gone"), "failed"),
]


def h2(prompt: str) -> str:
    if "Reply with JSON" in prompt:
        return '{"acknowledgement": 8, "solution": 4, "guidance": 6, "overall": 7}'
    return "yes" if "cannot" in prompt.split("# Answer")[1].split("Is the answer")[0] else "no"


def test_h2_keeps_three_dimensions_the_whole_and_honesty() -> None:
    found, judge = judged(JudgeH2(), ONE, h2)
    assert found["chosen_h2"] == [7.0] and found["chosen_h2_acknowledgement"] == [8.0]
    assert found["rejected_h2_solution"] == [4.0] and found["rejected_h2_guidance"] == [6.0]
    assert found["chosen_h2_honest"] == [False] and found["rejected_h2_honest"] == [True]
    assert len(judge.requests) == 4 == JudgeH2().calls_a_row()


@pytest.mark.parametrize(
    ("said", "outcome"),
    [*BAD, ('{"overall": 11}', "unparsable"), (h2("Reply with JSON").replace("7", "17"), "off_scale")],
)
def test_h2_without_a_sound_score_has_none(said: Said, outcome: str) -> None:
    found, _ = judged(JudgeH2(of="chosen"), ONE, lambda p: said if "Reply with JSON" in p else "yes")
    assert found["chosen_h2"] == [None] and found["chosen_h2_outcome"] == [outcome]
    assert found["chosen_h2_honest"] == [True], "the other question was answered"


def test_h2_names_the_kind_of_request() -> None:
    rows = pairs(("What now?", "a", "b"), kind=["latest_information"])
    _, judge = judged(JudgeH2(of="chosen", category="kind"), rows, h2)
    assert all("live data" in r["messages"][-1]["content"].split("# Answer")[0] for r in judge.requests)


def life(prompt: str) -> Said:
    if "what do you decide" in prompt:
        return "I buy it." if "Zoomtron" in prompt else "I look for it elsewhere."
    if "what happens" in prompt:
        assert "Zoomtron" not in prompt, "claims of the reply are no facts"
        return "It breaks." if "I buy it." in prompt else "A good one turns up."
    if "It breaks." in prompt:
        return "1"
    return "5" if "turns up" in prompt else "4" if "Zoomtron" in prompt else "2"


def test_the_rating_after_the_outcome_and_its_gap() -> None:
    """The promising answer is rated 4 before and 1 after, the modest one 2 and 5."""
    found, judge = judged(JudgeHindsight(), ONE, life)
    assert found["chosen_hindsight"] == [1.0] and found["chosen_hindsight_foresight"] == [4.0]
    assert found["chosen_hindsight_gap"] == [3.0] and found["rejected_hindsight_gap"] == [-3.0]
    assert found["chosen_hindsight_result"] == ["It breaks."] and found["rejected_hindsight"] == [5.0]
    assert len(judge.requests) == 8 == JudgeHindsight().calls_a_row()


def test_facts_reach_the_world_only() -> None:
    rows = pairs(("Which camera?", "buy the Zoomtron", "b"), truth=["It has no battery."])
    _, judge = judged(JudgeHindsight(facts="truth", of="chosen"), rows, life)
    with_facts = ["no battery" in str(r) for r in judge.requests]
    assert with_facts.count(True) == 1 and "What is true" in str(judge.requests[with_facts.index(True)])


@pytest.mark.parametrize("part", ["what do you decide", "what happens", "It breaks.", "How satisfied"])
@pytest.mark.parametrize(("said", "outcome"), [*BAD, (Reply("It is", "length"), "truncated")])
def test_a_step_that_fails_leaves_no_rating(part: str, said: Said, outcome: str) -> None:
    def rule(prompt: str) -> Said:
        if part in prompt and ("I buy it." in prompt or "Zoomtron" in prompt):
            return said
        return life(prompt)

    found, _ = judged(JudgeHindsight(), ONE, rule)
    assert found["chosen_hindsight"] == [None] and found["chosen_hindsight_gap"] == [None]
    assert found["chosen_hindsight_outcome"] == [outcome] and found["rejected_hindsight"] == [5.0]


def test_p_true_is_the_share_of_a() -> None:
    """.6 / (.6 + .2) = .75, with the model's own ideas in view."""

    def rule(prompt: str) -> Said:
        if "(A) True" not in prompt:
            return Reply("blue", data={"texts": ["blue", "green"]})
        assert "- blue\n- green" in prompt
        return with_chances("A", {"A": 0.6, "B": 0.2, "It": 0.2})

    found, judge = judged(PTrue(ideas=2, of="chosen"), pairs(("Sky?", "blue", "red")), rule)
    assert found["chosen_p_true"] == [pytest.approx(0.75)] and len(judge.requests) == 2
    assert judge.requests[0]["n"] == 2 and judge.requests[0]["messages"] == [{"role": "user", "content": "Sky?"}]


def test_votes_stand_in_for_chances_and_one_letter_is_none() -> None:
    votes = Reply("A", data={"texts": ["A", "A", "B", "A"]})
    found, _ = judged(PTrue(ideas=0, votes=4), pairs(("Sky?", "blue", "red")), lambda _: votes)
    assert found["chosen_p_true"] == [0.75]
    found, _ = judged(PTrue(ideas=0), pairs(("Sky?", "blue", "red")), lambda _: "A")
    assert found["chosen_p_true"] == [None] and found["chosen_p_true_outcome"] == ["unparsable"]
    assert PTrue(soft=False).faults()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        ("3 + 4 = 7\n#### 7", "7"),
        ("First 3, then the answer is 1,200.0.", "1200"),
        ("**Answer:** Paris.", "paris"),
        ("It costs $12 and then 15 dollars", "15"),
        ("Well.\nBlue!\n", "blue"),
        ("", ""),
    ],
)
def test_what_an_answer_ends_in(text: str, end: str) -> None:
    assert final_answer(text) == end


def test_self_consistency_is_the_share_of_like_ends() -> None:
    """Ends 7, 7, 8, 7: chosen (7) has 3/4, rejected (9) none; a draw cut off does not count."""
    texts = ["#### 7", "the answer is 7", "8", "so 7", "I thi"]
    reply = Reply(texts[0], data={"texts": texts, "finishes": ["stop"] * 4 + ["length"]})
    found, judge = judged(SelfConsistency(samples=5), pairs(("3+4?", "It is 7.", "9")), lambda _: reply)
    assert found["chosen_consistency"] == [0.75] and found["rejected_consistency"] == [0.0]
    assert found["consistency_answer"] == ["7"] and found["consistency_top"] == [0.75]
    assert len(judge.requests) == 1 and judge.requests[0]["n"] == 5
    lists = candidates(("3+4?", ["7", None, "8"]))
    assert judged(SelfConsistency(of="candidates"), lists, lambda _: reply)[0]["consistency"] == [[0.75, None, 0.25]]


def test_p_ik_is_the_share_of_right_draws_and_a_refusal_is_not_right() -> None:
    texts = ["Paris", "It is Lyon", "I'm sorry, I cannot help.", "the answer is paris"]
    rows = pairs(("Capital?", "a", "b"), ("Other?", "a", "b"), reference=["Paris", None])
    found, _ = judged(PIK(), rows, lambda _: Reply("Paris", data={"texts": texts}))
    assert found["p_ik"] == [0.5, None] and found["p_ik_refused"] == [0.25, None]
    found, _ = judged(PIK(match="contains"), rows, lambda _: Reply("", data={"texts": ["surely Paris, France", "no"]}))
    assert found["p_ik"] == [0.5, None]


@pytest.mark.parametrize(("said", "outcome"), [(CallError("gone"), "failed"), (Reply("x", "length"), "truncated")])
def test_draws_that_fail_leave_no_share(said: Said, outcome: str) -> None:
    found, _ = judged(SelfConsistency(), ONE, lambda _: said)
    assert found["chosen_consistency"] == [None] and found["consistency_outcome"] == [outcome]
    assert found["consistency_top"] == [None] and found["consistency_answer"] == [None]
