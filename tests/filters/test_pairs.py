"""Pairs from scored candidates."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest
from rather.core.errors import RowError
from rather.core.stage import Drop, Map
from rather.filters.pair_all_within_prompt import PairAllWithinPrompt
from rather.filters.pair_extremes import PairExtremes
from rather.filters.pair_ranked import PairRanked


class Chance:
    """The one thing a pair builder asks of its context: a generator of the row's own."""

    def rng(self, row_id: str) -> random.Random:
        return random.Random(row_id)


def answers(letters: str) -> list[dict[str, Any]]:
    return [{"text": letter, "image": None} for letter in letters]


def made(stage: Map, scores: list[Any], letters: str = "", row_id: str = "r", **more: Any) -> list[str] | Drop:
    """Pairs written as `a>b 1.0`, ties as `a=b 0.0`; the score columns must be gone from the rows."""
    row = {"id": row_id, "candidates": answers(letters or "abcdefgh"[: len(scores)]), "s": scores, **more}
    rows = asyncio.run(stage.map(row, Chance()))  # type: ignore[arg-type]
    if isinstance(rows, Drop):
        return rows
    assert all(child["candidates"] is None and child["s"] is None for child in rows)
    sign = {"prefer": ">", "tie": "="}
    return [f"{r['chosen']['text']}{sign[r['verdict']]}{r['rejected']['text']} {r['margin']}" for r in rows]


def test_extremes() -> None:
    """Of equals the first best and the last worst."""
    assert made(PairExtremes(score="s"), [1, 5, 5, 1, 3]) == ["b>d 4.0"]
    assert made(PairExtremes(score="s", better="lower"), [1, 5, 5, 1, 3]) == ["a>c 4.0"]


def test_extremes_without_a_winner() -> None:
    assert made(PairExtremes(score="s"), [2, 2]) == Drop("tie", {"gap": 0})
    assert made(PairExtremes(score="s", ties="keep", least_gap=1), [2, 2, 2]) == ["a=c 0.0"]
    assert made(PairExtremes(score="s", least_gap=2), [2, 1]) == Drop("gap below least", {"gap": 1})
    assert made(PairExtremes(score="s", least_gap=1), [2, 1]) == ["a>b 1.0"]


@pytest.mark.parametrize("stage", [PairExtremes(score="s"), PairAllWithinPrompt(score="s"), PairRanked(score="s")])
def test_candidates_without_a_score_never_pair(stage: Map) -> None:
    assert made(stage, [None, 2, math.nan]) == Drop("fewer than two scored candidates", {"scored": 1})
    assert made(stage, []) == Drop("fewer than two scored candidates", {"scored": 0})
    found = made(stage, [None, 2, 1])
    assert isinstance(found, list)
    assert len(found) == 1
    assert "a" not in found[0]


def test_scores_that_do_not_match_the_candidates_fail_the_row() -> None:
    with pytest.raises(RowError, match="2 candidates have 3 values of s"):
        made(PairExtremes(score="s"), [1, 2, 3], "ab")


def test_scores_of_both_sides_are_kept() -> None:
    row = {"id": "r", "candidates": answers("ab"), "s": [1, 4], "t": [0.5, None], "u": None}
    (child,) = asyncio.run(PairExtremes(score="s", also=("t", "u")).map(row, Chance()))  # type: ignore[arg-type, misc]
    assert {name: child[name] for name in ("chosen_s", "rejected_s", "chosen_t", "rejected_t", "chosen_u")} == {
        "chosen_s": 4, "rejected_s": 1, "chosen_t": None, "rejected_t": 0.5, "chosen_u": None,
    }  # fmt: skip
    stage = PairExtremes(score="s", also=("t",))
    written = {column.name for column in stage.columns_written()}
    assert {"chosen_s", "rejected_s", "chosen_t", "rejected_t", "margin", "verdict"} < written
    assert stage.columns_read() == ("candidates", "s", "t")


def test_all_pairs_widest_first() -> None:
    """Scores 3, 1, 2, 1: gaps 2 (a>b, a>d), 1 (a>c, c>b, c>d), 0 (b, d)."""
    assert made(PairAllWithinPrompt(score="s"), [3, 1, 2, 1]) == ["a>b 2.0", "a>d 2.0", "a>c 1.0", "c>b 1.0", "c>d 1.0"]
    assert made(PairAllWithinPrompt(score="s", least_gap=1.5), [3, 1, 2, 1]) == ["a>b 2.0", "a>d 2.0"]
    assert made(PairAllWithinPrompt(score="s", most=3), [3, 1, 2, 1]) == ["a>b 2.0", "a>d 2.0", "a>c 1.0"]
    assert made(PairAllWithinPrompt(score="s", ties="keep"), [3, 1, 2, 1])[-1] == "b=d 0.0"  # type: ignore[index]
    assert made(PairAllWithinPrompt(score="s"), [1, 1, 1]) == Drop("tie", {"gap": 0})


def test_sampled_pairs_depend_on_the_row_alone() -> None:
    """15 pairs, two taken: the same for the same row, and over 60 rows all 15 turn up."""
    stage = PairAllWithinPrompt(score="s", most=2, pick="sample")
    scores = [1, 2, 4, 8, 16, 32]
    assert made(stage, scores, row_id="x") == made(stage, scores, row_id="x")
    found = [made(stage, scores, row_id=f"row {k}") for k in range(60)]
    assert all(len(pairs) == 2 for pairs in found)  # type: ignore[arg-type]
    assert len({pair for pairs in found for pair in pairs}) == 15  # type: ignore[union-attr]


def test_neighbours_in_a_ranking() -> None:
    """Ranks 2, 1, 2, 4: b, then a and c level, then d."""
    assert made(PairRanked(score="s"), [2, 1, 2, 4]) == ["b>a 1.0", "c>d 2.0"]
    assert made(PairRanked(score="s", ties="keep"), [2, 1, 2, 4]) == ["b>a 1.0", "a=c 0.0", "c>d 2.0"]
    assert made(PairRanked(score="s", most=1), [2, 1, 2, 4]) == ["b>a 1.0"]
    assert made(PairRanked(score="s", better="higher"), [2, 1, 2, 4]) == ["d>a 2.0", "c>b 1.0"]


def test_the_best_against_each() -> None:
    assert made(PairRanked(score="s", pairs="best"), [2, 1, 3, 1]) == ["b>a 1.0", "b>c 2.0"]
    assert made(PairRanked(score="s", pairs="best", ties="keep"), [2, 1, 3, 1])[0] == "b=d 0.0"  # type: ignore[index]
    assert made(PairRanked(score="s", pairs="best", least_gap=2), [2, 1, 3, 1]) == ["b>c 2.0"]
