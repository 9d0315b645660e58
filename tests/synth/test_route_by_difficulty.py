"""Difficulty and what it leads to: thirds, and one kind of feedback each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import InputError
from rather.core.stage import Drop
from rather.filters.score_difficulty import Difficulty
from rather.synth.route_by_difficulty import RouteByDifficulty

from ..narrows import narrow_of
from .scripted import ran, row_of, texts

CANDIDATES = [{"text": "Four", "model": "m"}, {"text": "Two", "model": "m"}, {"text": " "}, None, {"text": "Six"}]
STAGE = RouteByDifficulty(score="rating")
CRITIQUE, REVISED = ("Write the critique", "Say why."), ("revised answer:", "Two, as it has two divisors.")


def row(found: str | None, scores: Any = (2.0, 9.0, 10.0, 10.0, None)) -> dict[str, Any]:
    return row_of("Name a prime.", candidates=CANDIDATES, rating=list(scores), difficulty_bin=found)


def bins(tmp_path: Path, scores: Any, **options: Any) -> list[str | None]:
    found = Difficulty(score="s", **options).fit(narrow_of(tmp_path, {"s": scores}), None)  # type: ignore[arg-type]
    return list(found["difficulty_bin"].to_pylist())


def test_thirds_by_mean(tmp_path: Path) -> None:
    scores = [[1.0, 3.0], [9.0], [5.0, None, 6.0], [], [10.0], None, [2.0], [4.0]]
    found = Difficulty(score="s").fit(narrow_of(tmp_path, {"s": scores}), None)  # type: ignore[arg-type]
    assert found["difficulty"].to_pylist() == [2.0, 9.0, 5.5, None, 10.0, None, 2.0, 4.0]
    assert found["difficulty_bin"].to_pylist() == ["hard", "easy", "medium", None, "easy", None, "hard", "medium"]


def test_equal_means_share_a_bin_whatever_the_skew(tmp_path: Path) -> None:
    """Pitfall: thirds by count would call every third of a set of perfect scores hard."""
    assert bins(tmp_path, [10.0, 10.0, 10.0]) == ["medium"] * 3
    assert bins(tmp_path, [10.0, 1.0, 10.0, 10.0, 2.0]) == ["easy", "hard", "easy", "easy", "hard"]
    assert bins(tmp_path, [3.0, 7.0, 6.9], cuts=(3.0, 7.0)) == ["medium", "easy", "medium"]
    assert bins(tmp_path, [None, None]) == [None, None]
    with pytest.raises(InputError, match="no list of numbers"):
        bins(tmp_path, [["a"]])
    assert Difficulty(score="s", cuts=(2.0, 1.0)).faults() == ["cuts: 2.0 is above 1.0"]


def test_a_hard_prompt_gives_a_pair() -> None:
    [found], model = ran(STAGE, row("hard"), [])
    assert texts(found) == {
        "chosen": "Two", "rejected": "Four", "verdict": "prefer", "critique": None, "kind": "preference",
        "margin": 7.0, "difficulty_model": "m", "candidates": None, "rating": None,
    }  # fmt: skip
    assert model.asked == []
    [lower], _ = ran(RouteByDifficulty(score="rating", better="lower"), row("hard"), [])
    assert texts(lower)["chosen"] == "Four" and lower["margin"] == 7.0


def test_an_easy_prompt_gives_a_critique() -> None:
    [found], model = ran(STAGE, row("easy"), [CRITIQUE])
    assert "# Answer\nTwo" in texts(found)["prompt"] and len(model.asked) == 1
    assert texts(found)["chosen"] == "Say why." and found["rejected"] is found["verdict"] is found["margin"] is None
    assert found["kind"] == "critique" and found["critique"]["critic"] == "scripted"
    assert found["chosen"]["made_by"]["params"] == '{"difficulty":"easy"}'


def test_a_medium_prompt_gives_a_refinement() -> None:
    [found], model = ran(STAGE, row("medium"), [CRITIQUE, REVISED])
    assert texts(found)["chosen"] == REVISED[1] and "prompt" not in found and found["kind"] == "refinement"
    assert found["critique"]["text"] == "Say why." and found["rejected"] is None and len(model.asked) == 2
    assert "# Critique\nSay why." in model.asked[1] and STAGE.calls_a_row() == 2


@pytest.mark.parametrize(
    ("given", "script", "reason"),
    [
        (row(None), [], "neither easy, medium nor hard"),
        (row("hard", [5.0, 5.0, 1.0, 1.0, 5.0]), [], "gap below least"),
        (row("hard", [None] * 5), [], "no scored candidate"),
        (row("easy"), [("Write the critique", "I'm sorry, I can't.")], "critique: refused"),
        (row("medium"), [CRITIQUE, ("revised answer:", "two.")], "revise: unchanged"),
    ],
)
def test_every_other_end(given: dict[str, Any], script: list[Any], reason: str) -> None:
    found, _ = ran(STAGE, given, script)
    assert isinstance(found, Drop) and found.reason == reason
