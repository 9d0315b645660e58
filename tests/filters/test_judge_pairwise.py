"""`judge.pairwise`: both orders, chances, flips, every outcome, conflicts between the orders."""

from __future__ import annotations

import pytest
from rather.core.errors import CallError, CallRefused
from rather.core.paid import Reply
from rather.filters.judge_pairwise import JudgePairwise, mirrored
from rather.models.verdict import Outcome

from ..judges import between, judged, pairs, with_chances

TWO = pairs(("2+2?", "4", "5"), ("3+3?", "6", "7"))


def longer(prompt: str) -> str:
    first, second = between(prompt, "# Answer A", "# Answer B"), between(prompt, "# Answer B", "Which")
    return "A" if len(first) > len(second) else "B" if len(second) > len(first) else "tie"


def test_a_judge_that_follows_the_answer_is_certain_and_one_that_follows_the_place_flips() -> None:
    rows = pairs(("p", "long answer", "no"), ("p", "same", "size"))
    found, judge = judged(JudgePairwise(), rows, longer)
    assert found["judge_p"] == [1.0, 0.5]
    assert found["judge_first"] == ["chosen", "tie"] and found["judge_second"] == ["chosen", "tie"]
    assert found["judge_flip"] == [False, False] and found["judge_p_outcome"] == ["ok", "ok"]
    assert len(judge.requests) == 4 == 2 * JudgePairwise().calls_a_row()
    found, _ = judged(JudgePairwise(), rows, lambda prompt: "A")
    assert found["judge_p"] == [0.5, 0.5] and found["judge_flip"] == [True, True]
    assert found["judge_first"] == ["chosen"] * 2 and found["judge_second"] == ["rejected"] * 2


def test_soft_chances_are_the_mean_of_both_orders() -> None:
    """Shown first, chosen has .6 / (.6 + .2) = .75; shown second, .9 / (.9 + .1): mean .825."""

    def chances(prompt: str) -> Reply:
        if between(prompt, "# Answer A", "# Answer B") == "4":
            return with_chances("A", {"A": 0.6, "B": 0.2, "the": 0.2})
        return with_chances("B", {"A": 0.1, " B": 0.9, "B": 1e-9})

    found, judge = judged(JudgePairwise(soft=True, ties=False), pairs(("2+2?", "4", "5")), chances)
    assert found["judge_p"][0] == pytest.approx((0.75 + 0.9) / 2, abs=1e-6)
    assert all(request["logprobs"] == 20 for request in judge.requests)


def test_half_of_a_soft_tie_goes_to_each() -> None:
    found, _ = judged(
        JudgePairwise(soft=True), pairs(("p", "a", "b")), lambda _: with_chances("A", {"A": 0.5, "tie": 0.3, "B": 0.2})
    )
    assert found["judge_p"] == [pytest.approx((0.65 + 0.35) / 2)]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("perhaps", "unparsable"),
        (Reply("", "content_filter"), "refused"),
        (CallRefused("400: content policy"), "refused"),
        (Reply("I think that", "length"), "truncated"),
        (CallError("gone"), "failed"),
    ],
)
def test_what_is_no_verdict_is_null_with_a_reason(said: str | Reply | CallError, outcome: str) -> None:
    def rule(prompt: str) -> str | Reply | CallError:
        return said if "2+2" in prompt and between(prompt, "# Answer A", "# Answer B") == "5" else "A"

    found, judge = judged(JudgePairwise(), TWO, rule)
    assert outcome in set(Outcome)
    assert found["judge_p"] == [None, 0.5] and found["judge_p_outcome"] == [outcome, "ok"]
    assert found["judge_first"] == ["chosen", "chosen"] and found["judge_second"][0] is None
    assert found["judge_flip"] == [None, True]
    assert len(judge.requests) == 4 + (outcome in ("unparsable", "truncated"))


def test_a_reply_that_does_not_parse_is_asked_for_once_more() -> None:
    said = iter(["hm", "B", "A"])
    found, judge = judged(JudgePairwise(), pairs(("p", "a", "b")), lambda _: next(said))
    assert found["judge_p"] == [0.0] and len(judge.requests) == 3


def test_a_missing_answer_is_not_judged() -> None:
    found, judge = judged(JudgePairwise(), pairs(("p", "a", None), ("p", None, None), ("p", "a", "b")), lambda _: "tie")
    assert found["judge_p"] == [None, None, 0.5] and found["judge_p_outcome"] == [None, None, "ok"]
    assert len(judge.requests) == 2


def test_agree_or_tie_wants_the_same_answer_twice() -> None:
    said = {("4", "5"): "A", ("5", "4"): "tie", ("6", "7"): "B", ("7", "6"): "A"}

    def rule(prompt: str) -> str:
        return said[between(prompt, "# Answer A", "# Answer B"), between(prompt, "# Answer B", "Which")]

    found, _ = judged(JudgePairwise(conflict="agree_or_tie"), TWO, rule)
    assert found["judge_p"] == [0.5, 0.0]
    found, _ = judged(JudgePairwise(), TWO, rule)
    assert found["judge_p"] == [0.75, 0.0]


def test_synthesise_shows_both_reasonings_in_the_names_of_the_order_shown() -> None:
    def rule(prompt: str) -> str:
        if "What judge 1 said" in prompt:
            shown = between(prompt, "# Answer A", "# Answer B")
            assert f"I saw {shown} and Answer A" in prompt
            return "Verdict: A" if shown == "4" else "Verdict: B"
        return f"I saw {between(prompt, '# Answer A', '# Answer B')} and Answer A pleased me.\nVerdict: A"

    stage = JudgePairwise(conflict="synthesise", reason=True)
    found, judge = judged(stage, pairs(("2+2?", "4", "5")), rule)
    assert found["judge_p"] == [1.0] and found["judge_flip"] == [True]
    debated = [r["messages"][-1]["content"] for r in judge.requests if "What judge 1" in r["messages"][-1]["content"]]
    assert len(debated) == 2 and "I saw 5 and Answer B pleased" in debated[0]
    assert "I saw 4 and Answer B pleased" in debated[1] and "I saw 5 and Answer A pleased" in debated[1]
    assert len(judge.requests) == 4 == stage.calls_a_row()
    found, judge = judged(
        stage, pairs(("p", "longest", "no")), lambda p: "Verdict: " + longer(p.replace("Compare", "Which"))
    )
    assert len(judge.requests) == 2 and found["judge_p"] == [1.0]


def test_names_are_mirrored_where_they_name_an_answer() -> None:
    assert mirrored("A good try. Answer A beats answer B.") == "A good try. Answer B beats answer A."
    assert mirrored("Answers A and B differ; Verdict: **B**") == "Answers B and A differ; Verdict: **A**"


def test_helps_reach_the_prompt_and_given_order_asks_once() -> None:
    rows = pairs(("2+2?", "4", "5"), reference=["four"], questions=["1. Is it right?"])
    stage = JudgePairwise(reference="reference", metrics="questions", orders="given")
    found, judge = judged(stage, rows, lambda _: "A")
    text = judge.requests[0]["messages"][-1]["content"]
    assert "four" in text and "Is it right?" in text and "reference?" in stage.columns_read()
    assert found["judge_p"] == [1.0] and found["judge_second"] == [None] and len(judge.requests) == 1


def test_options_that_do_not_fit_are_faults() -> None:
    assert JudgePairwise(conflict="synthesise").faults()
    assert JudgePairwise(conflict="agree_or_tie", orders="given").faults()
    assert "pairwise" in JudgePairwise(template="pairwize").faults()[0]
    assert not JudgePairwise().faults()


def test_pictures_go_with_the_question() -> None:
    png = b"\x89PNG rest"
    rows = pairs(("what is it?", "a cat", "a dog"), images=[[{"bytes": png, "path": None}]])
    _, judge = judged(JudgePairwise(), rows, lambda _: "A")
    parts = judge.requests[0]["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["image", "text"] and parts[0]["mime"] == "image/png"


def test_several_samples_give_shares() -> None:
    """Given: A, A, B → 2/3; swapped: B, B, (nothing) → 1: mean 5/6. Half nonsense is no verdict."""

    def rule(prompt: str) -> Reply:
        first = between(prompt, "# Answer A", "# Answer B") == "4"
        return Reply("A", data={"texts": ["A", "A", "B"] if first else ["B", "hm", "B"]})

    stage = JudgePairwise(samples=3, temperature=1)
    found, judge = judged(stage, pairs(("2+2?", "4", "5")), rule)
    assert found["judge_p"] == [pytest.approx(5 / 6)] and judge.requests[0]["n"] == 3
    found, _ = judged(stage, pairs(("2+2?", "4", "5")), lambda _: Reply("A", data={"texts": ["A", "?"]}))
    assert found["judge_p_outcome"] == ["unparsable"]
    assert JudgePairwise(samples=3).faults()
