"""Passages by meaning and by both ways, by hand and on real texts; built once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.passage_index import Index, Lookup, fused
from rather.synth.retrieval_feedback import RetrievalFeedback

from .scripted import ran, real_pairs, row_of

PASSAGES = ["north", "east", "north by east", "a wall"]
PLACES = {"north": (1.0, 0.0), "east": (0.0, 1.0), "north by east": (0.8, 0.6), "a wall": (-1.0, 0.0), "up": (1.0, 0.0)}


class Compass:
    """Texts as directions; counts what it was asked for."""

    name, dim, persist = "compass", 2, False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([PLACES[text] for text in texts], np.float32)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "passages.txt"
    path.write_text("\n\n".join(PASSAGES), encoding="utf-8")
    return str(path)


def test_cosines_by_hand(file: str) -> None:
    """To "up" north has 1, north by east 0.8, east 0, a wall -1: the last two are not near. A second query, east,
    makes it the largest of two: east 1, north by east max(0.8, 0.6)."""
    lookup = Lookup(file, "text", "vectors", Compass())
    assert lookup.nearest(["up"], 4) == [(0, 1.0), (2, pytest.approx(0.8))]
    assert lookup.nearest(["up", "east"], 3) == [(0, 1.0), (1, 1.0), (2, pytest.approx(0.8))]
    assert lookup.nearest(["up", "east"], 1) == [(0, 1.0)]
    assert lookup.nearest(["a wall"], 2) == [(3, 1.0)]


def test_passages_are_encoded_once(file: str) -> None:
    compass = Compass()
    for _ in range(3):
        Lookup(file, "text", "vectors", compass).nearest(["up"], 1)
    assert sorted(compass.asked) == sorted([*PASSAGES, "up", "up", "up"])
    Lookup(file, "text", "bm25", compass).nearest(["up"], 1)
    Path(file).write_text("east\n\nnorth", encoding="utf-8")
    assert Lookup(file, "text", "vectors", compass).nearest(["up"], 1) == [(1, 1.0)], "the file has changed"


def test_ranks_are_fused_by_hand() -> None:
    """7 is first and second: 1/61 + 1/62. 3 is second alone, 9 first alone; of equals the smaller number."""
    both = fused([[(7, 5.0), (3, 4.0)], [(9, 0.9), (7, 0.8)]], 3)
    assert both == [(7, pytest.approx(1 / 61 + 1 / 62)), (9, pytest.approx(1 / 61)), (3, pytest.approx(1 / 62))]
    assert [number for number, _ in fused([[(5, 1.0)], [(2, 1.0)]], 2)] == [2, 5]
    assert fused([[], []], 2) == []


def test_both_ways_find_what_one_misses(file: str) -> None:
    """By words "east" is found twice, by meaning also north by east, and north is not."""
    found = Lookup(file, "text", "both", Compass()).nearest(["east"], 4)
    assert [number for number, _ in found] == [1, 2] and found[0][1] == pytest.approx(2 / 61)


@pytest.mark.parametrize("index", ["vectors", "both"])
def test_an_answer_is_revised_by_what_is_near_in_meaning(tmp_path: Path, index: Index) -> None:
    """No passage has a word of the question; by meaning the one about felines is nearest."""
    path = tmp_path / "known.txt"
    path.write_text("Felines purr.\n\nTaxes rise in April.", encoding="utf-8")
    row = row_of("Do cats make sounds?", chosen="Cats bark.")
    script = [
        ("The revised answer:", "Cats purr."), ("Do the passages support", "yes"),
        (["You compare", "# Answer A\nCats purr."], "A"), ("You compare", "B"),
    ]  # fmt: skip
    options = {"documents": str(path), "answer": "chosen", "passages": 1}
    assert ran(RetrievalFeedback(**options), row, script)[0] == Drop("no passage shares a word with it")
    stage = RetrievalFeedback(**options, index=index, encoder="static")
    [found], model = ran(stage, row, script, static=StaticText())
    assert found["evidence"] == ["Felines purr."] and found["evidence_ids"] == [0]
    assert (found["chosen"]["text"], len(model.asked)) == ("Cats purr.", stage.calls_a_row())
    assert "static" in stage.models_named() and "static" not in RetrievalFeedback(**options).models_named()


def test_what_is_missing_is_told(file: str) -> None:
    assert RetrievalFeedback(documents=file, index="vectors").faults() == [
        "index: vectors needs an encoder, such as encoder: static"
    ]
    path = Path(file)
    path.write_text("a wall", encoding="utf-8")
    row = row_of("up", chosen="north")
    stage = RetrievalFeedback(documents=file, answer="chosen", index="vectors", encoder="compass")
    assert ran(stage, row, [], compass=Compass())[0] == Drop("no passage is near it")


def test_real_questions_find_their_answers(data: Path, tmp_path: Path) -> None:
    """Forty answers of TruthfulQA and the question they belong to: nearest for most, by any way."""
    rows = real_pairs(data, "truthfulqa.jsonl", 40)
    path = tmp_path / "known.txt"
    path.write_text("\n\n".join(row["chosen"]["text"] for row in rows), encoding="utf-8")
    kinds: tuple[Index, ...] = ("bm25", "vectors", "both")
    right = dict.fromkeys(kinds, 0)
    for kind in kinds:
        lookup = Lookup(str(path), "text", kind, StaticText())
        for row in rows:
            found = lookup.nearest([row["prompt"][0]["content"]], 3)
            right[kind] += row["chosen"]["text"] in [lookup.texts[i] for i, _ in found]
    assert min(right.values()) >= 24
