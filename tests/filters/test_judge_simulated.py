"""AlpacaFarm's annotators: who labels, how often a coin does, and that nothing else decides."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from rather.core.errors import CallError
from rather.filters.annotators import POOL, draw_lot
from rather.filters.judge_simulated import JudgeSimulatedAnnotators

from ..judges import Asked, FakeContext, between, candidates, judged, pairs, text_of

MANY = pairs(*((f"instruction {k}", "good", "bad") for k in range(400)))


def fair(prompt: str) -> str:
    first = between(prompt, "Answer A:", "Answer B:") == "good"
    return f'{{"reason": "so", "first_is_better": {str(first).lower()}}}' if "JSON" in prompt else "AB"[not first]


def test_the_pool_is_the_paper_s() -> None:
    assert Counter(a.grade for a in POOL) == {"strong": 5, "medium": 4, "weak": 4}
    assert sum(bool(a.persona) for a in POOL) == 2 and len({a.name for a in POOL}) == 13
    assert len({(a.grade, a.wording, a.json, a.persona) for a in POOL}) == 13


def test_without_noise_a_fair_crowd_is_right_whatever_the_order_shown() -> None:
    found, judge = judged(JudgeSimulatedAnnotators(flip=0), MANY, fair)
    assert set(found["sim_preference"]) == {1.0} and set(found["sim_noisy"]) == {False}
    assert set(found["sim_annotator"]) == {a.name for a in POOL} and len(judge.requests) == 400
    shown_first = sum(between(text_of(r), "Answer A:", "Answer B:") == "good" for r in judge.requests)
    assert 160 < shown_first < 240, "orders are drawn"


def test_a_quarter_of_the_labels_is_turned_by_coins_for_half_of_them_and_coins_cost_nothing() -> None:
    stage = JudgeSimulatedAnnotators(flip=0.25)
    found, judge = judged(stage, MANY, fair)
    noisy = sum(found["sim_noisy"])
    wrong = sum(preference == 2.0 for preference in found["sim_preference"])
    four_sd = 4 * math.sqrt(400 * 0.25)
    assert abs(noisy - 200) < four_sd and abs(wrong - 100) < 4 * math.sqrt(400 * 0.25 * 0.75)
    assert len(judge.requests) == 400 - noisy and stage.calls_a_row() == 0.5
    coins = [(p, a) for p, a, n in zip(*(found[f"sim_{c}"] for c in ("preference", "annotator", "noisy"))) if n]  # noqa: B905
    assert {p for p, _ in coins} == {1.0, 2.0} and {a for _, a in coins} == {None}


def test_chance_belongs_to_the_instruction_and_the_seed() -> None:
    lots = [draw_lot(7, f"i{k}", 0.25, f"i{k}") for k in range(50)]
    assert lots == [draw_lot(7, f"i{k}", 0.25, f"i{k}") for k in range(50)]
    assert lots != [draw_lot(8, f"i{k}", 0.25, f"i{k}") for k in range(50)]
    same = pairs(*(("one instruction", "good", f"bad {k}") for k in range(60)))
    assert len(set(judged(JudgeSimulatedAnnotators(), same, fair)[0]["sim_noisy"])) == 1
    by_pair = judged(JudgeSimulatedAnnotators(noise_by="pair"), same, fair)[0]["sim_noisy"]
    assert 12 < sum(by_pair) < 48


def test_equal_answers_are_a_tie_nobody_is_asked_about() -> None:
    rows = pairs(*((f"i{k}", "same", "same") for k in range(20)), ("p", "a", None))
    found, judge = judged(JudgeSimulatedAnnotators(), rows, fair)
    assert found["sim_preference"] == [1.5] * 20 + [None] and not judge.requests
    assert found["sim_noisy"] == [False] * 20 + [None] and found["sim_outcome"] == ["ok"] * 20 + [None]


@pytest.mark.parametrize(("said", "outcome"), [("neither", "unparsable"), (CallError("gone"), "failed")])
def test_an_annotator_without_a_label_leaves_none(said: str | CallError, outcome: str) -> None:
    found, _ = judged(JudgeSimulatedAnnotators(flip=0), pairs(("p", "good", "bad")), lambda _: said)
    assert found["sim_preference"] == [None] and found["sim_outcome"] == [outcome]


def test_two_different_candidates_are_labelled() -> None:
    rows = candidates(*((f"i{k}", ["good", "bad", "good"]) for k in range(30)), ("p", ["only", "only"]))
    found, judge = judged(JudgeSimulatedAnnotators(of="candidates", flip=0), rows, fair)
    assert all(merit == [1.0, 0.0, None] for merit in found["sim_merit"][:30])
    assert found["sim_merit"][30] == [None, None] and len(judge.requests) == 30


def test_each_grade_asks_its_own_model() -> None:
    asked = {name: Asked(fair) for name in ("big", "mid", "small")}
    stage = JudgeSimulatedAnnotators(strong="big", medium="mid", weak="small", flip=0)
    names = stage.score(MANY, FakeContext(asked))["sim_annotator"].to_pylist()
    for nickname, grade in (("big", "strong"), ("mid", "medium"), ("small", "weak")):
        assert len(asked[nickname].requests) == sum(name.startswith(grade) for name in names) > 50
