"""Judges of several candidates at once: listwise, all ordered pairs, tournaments."""

from __future__ import annotations

import re

import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.filters.judge_all_ordered import JudgeAllOrdered
from rather.filters.judge_listwise import JudgeListwise, beaten
from rather.filters.judge_tournament import JudgeTournament

from ..judges import between, candidates, judged

MERIT = {"poor": 1, "fair": 4, "good": 7, "best": 9}
ROWS = candidates(
    ("p", ["fair", "best", "poor"]), ("q", ["good"]), ("r", None), ("s", ["poor", None, "good", "best", "fair"])
)


def shown(prompt: str) -> dict[str, str]:
    return dict(re.findall(r"# Answer ([A-Z])\n(\w+)", prompt))


def ranking(prompt: str) -> str:
    return " > ".join(sorted(shown(prompt), key=lambda label: -MERIT[shown(prompt)[label]]))


def better(prompt: str) -> str:
    first, second = between(prompt, "# Answer A", "# Answer B"), between(prompt, "# Answer B", "Which")
    return "A" if MERIT[first] > MERIT[second] else "B" if MERIT[second] > MERIT[first] else "tie"


def test_a_ranking_is_mapped_back_from_the_order_shown() -> None:
    found, judge = judged(JudgeListwise(), ROWS, ranking)
    assert found["list_score"] == [[0.5, 1.0, 0.0], [None], None, [0.0, None, 2 / 3, 1.0, 1 / 3]]
    assert found["list_score_outcome"] == ["ok", None, None, "ok"] and len(judge.requests) == 2
    orders = {tuple(shown(r["messages"][-1]["content"]).values()) for r in judge.requests}
    assert ("fair", "best", "poor") not in orders or ("poor", "good", "best", "fair") not in orders


def test_beaten_shares() -> None:
    assert beaten([2, 0, 1]) == [0.5, 0.0, 1.0]


def test_scores_come_as_json_and_rounds_are_averaged() -> None:
    found, judge = judged(
        JudgeListwise(ask="scores", rounds=3),
        ROWS,
        lambda p: "{" + ", ".join(f'"{label}": {MERIT[word]}' for label, word in shown(p).items()) + "}",
    )
    assert found["list_score"][0] == [4.0, 9.0, 1.0] and found["list_score"][3] == [1.0, None, 7.0, 9.0, 4.0]
    assert len(judge.requests) == 6 and judge.requests[0]["schema"]["required"] == ["A", "B", "C"]
    first = [shown(r["messages"][-1]["content"]) for r in judge.requests[3:]]
    assert len({tuple(order.values()) for order in first}) > 1, "each round has an order of its own"


def test_the_mean_of_rounds_that_disagree() -> None:
    """The judge always puts A first: over rounds each candidate's mean is the mean of where it was shown."""
    found, judge = judged(JudgeListwise(rounds=4), candidates(("p", ["fair", "best"])), lambda _: "A > B")
    firsts = sum(shown(r["messages"][-1]["content"])["A"] == "fair" for r in judge.requests)
    assert found["list_score"] == [[firsts / 4, 1 - firsts / 4]]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("A > B", "unparsable"),
        (Reply("", "content_filter"), "refused"),
        (Reply("First of all I think", "length"), "truncated"),
        (CallError("gone"), "failed"),
    ],
)
def test_a_list_that_cannot_be_read_has_no_numbers(said: str | Reply | CallError, outcome: str) -> None:
    found, _ = judged(JudgeListwise(), ROWS, lambda p: said if len(shown(p)) == 3 else ranking(p))
    assert found["list_score"][0] == [None] * 3 and found["list_score_outcome"][0] == outcome
    assert found["list_score_outcome"][3] == "ok"


def test_a_listed_score_off_the_scale() -> None:
    found, _ = judged(JudgeListwise(ask="scores"), candidates(("p", ["fair", "best"])), lambda _: '{"A": 11, "B": 3}')
    assert found["list_score_outcome"] == ["off_scale"] and found["list_score"] == [[None, None]]


def test_net_wins_over_all_ordered_pairs() -> None:
    """Three candidates, a fair judge: the best wins 4 and loses none, the middle wins 2 and loses 2."""
    found, judge = judged(JudgeAllOrdered(), ROWS, better)
    assert found["net_wins"] == [[0.0, 4.0, -4.0], [None], None, [-6.0, None, 2.0, 6.0, -2.0]]
    assert len(judge.requests) == 3 * 2 + 4 * 3
    assert JudgeAllOrdered(most=3).calls_a_row() == 6


def test_a_bias_for_the_first_place_cancels_out() -> None:
    found, _ = judged(JudgeAllOrdered(), candidates(("p", ["fair", "best", "poor"])), lambda _: "A")
    assert found["net_wins"] == [[0.0, 0.0, 0.0]]


def test_only_the_candidates_of_a_lost_match_have_no_score() -> None:
    def rule(prompt: str) -> str | CallError:
        first = between(prompt, "# Answer A", "# Answer B")
        second = between(prompt, "# Answer B", "Which")
        return CallError("gone") if (first, second) == ("fair", "poor") else better(prompt)

    found, _ = judged(JudgeAllOrdered(), candidates(("p", ["fair", "best", "poor"])), rule)
    assert found["net_wins"] == [[None, 4.0, None]]
    assert found["net_wins_outcome"] == [["failed", "ok", "failed"]]


def test_a_tournament_finds_the_best_in_one_match_less_than_there_are_candidates() -> None:
    found, judge = judged(JudgeTournament(), ROWS, better)
    assert found["tournament_best"] == [1, None, None, 3]
    assert found["tournament_outcome"] == ["ok", None, None, "ok"]
    assert len(judge.requests) == 2 * (2 + 3)
    assert found["tournament_rounds"][0][1] == 2.0 and found["tournament_rounds"][3][1] is None
    assert sorted(found["tournament_rounds"][3][k] for k in (0, 2, 3, 4)) == [0.0, 0.0, 1.0, 2.0]
    assert JudgeTournament(most=4).calls_a_row() == 6


@pytest.mark.parametrize("n", range(2, 10))
def test_the_winner_survives_longest_whatever_the_number(n: int) -> None:
    words = [f"w{k}" for k in range(n)]
    MERIT.update({word: 100 + k for k, word in enumerate(words)})
    found, judge = judged(JudgeTournament(most=n), candidates(("p", words)), better)
    rounds = found["tournament_rounds"][0]
    assert found["tournament_best"] == [n - 1] and len(judge.requests) == 2 * (n - 1)
    assert rounds[n - 1] == (n - 1).bit_length() and max(rounds[: n - 1]) == rounds[n - 1] - 1


def test_a_match_without_a_verdict_ends_a_tournament() -> None:
    found, _ = judged(JudgeTournament(), ROWS, lambda p: "?" if "# Prompt\np\n" in p else better(p))
    assert found["tournament_best"] == [None, None, None, 3]
    assert found["tournament_outcome"][0] == "unparsable" and found["tournament_rounds"][0] == [None] * 3
