"""Honest and helpful answers: the three steps, and the pairs they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.filters.honest_pairs import HonestPairs
from rather.synth.curiosity_merge import CuriosityMerge, speaks_of_draft

from .scripted import ran, real_pairs, row_of, texts

ROW = row_of("What is the share price of Acme now?")
CONFUSED = ("confuses you or exceeds", "It needs live data, which I lack.")
GOOD = "I cannot see live prices. Your broker's page shows them."


def script(*merged: Any, confusion: Any = CONFUSED[1]) -> list[Any]:
    return [("Your reply to the user:", list(merged)), (CONFUSED[0], confusion), ("share price", "It is 12 dollars.")]


def test_the_row_in_full() -> None:
    found, model = ran(CuriosityMerge(), ROW, script(GOOD))
    assert [texts(row) for row in found] == [
        {"chosen": GOOD, "rejected": "It is 12 dollars.", "verdict": "prefer", "confusion": CONFUSED[1]}
    ]
    assert found[0]["chosen"]["made_by"] == {
        "stage": "synth.curiosity_merge", "method": "merge",
        "params": '{"confusion":"It needs live data, which I lack."}', "model": "scripted", "seed": 7,
    }  # fmt: skip
    assert "# Notes: an attempt\nIt is 12 dollars." in model.asked[2] and len(model.asked) == 3
    assert CuriosityMerge().calls_a_row() == 4


def test_what_says_its_limits_is_no_refusal() -> None:
    """Pitfall: an honest answer opens as a refusal does; only the endpoint's own refusal is one."""
    found, _ = ran(CuriosityMerge(), ROW, script("I'm sorry, I can't know.", confusion="I cannot see."))
    assert texts(found[0])["chosen"] == "I'm sorry, I can't know." and found[0]["confusion"] == "I cannot see."


def test_a_merge_never_mentions_the_draft() -> None:
    found, model = ran(CuriosityMerge(), ROW, script("Unlike my previous answer, I cannot know.", GOOD))
    assert texts(found[0])["chosen"] == GOOD and len(model.asked) == 4 and found[0]["chosen"]["made_by"]["seed"] == 8
    never, _ = ran(CuriosityMerge(), ROW, script("My draft said 12.", "As noted above, no."))
    assert never == Drop("merge: speaks of the raw answer", {"tries": 2})
    assert not speaks_of_draft("Here is a draft of the letter.", "Write a draft, please.")
    assert speaks_of_draft("The initial response was wrong.", "Write a draft.")


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (script(GOOD, confusion=" Nothing. "), "nothing is beyond the model"),
        (script(GOOD, confusion=Reply("", "length")), "confusion: truncated"),
        (script("it is 12 dollars"), "merge: unchanged"),
        (script(Reply("", "refusal")), "merge: refused"),
    ],
)
def test_every_other_end(replies: list[Any], reason: str) -> None:
    found, _ = ran(CuriosityMerge(tries=1), ROW, replies)
    assert isinstance(found, Drop) and found.reason == reason


def test_a_given_raw_answer_stays_as_it_is(data: Path) -> None:
    for row in real_pairs(data, "truthfulqa.jsonl"):
        stage = CuriosityMerge(answer="rejected")
        found, model = ran(stage, row, [("Your reply", GOOD), CONFUSED])
        assert found[0]["rejected"] == row["rejected"] and len(model.asked) == 2 and stage.calls_a_row() == 3


def test_stages_of_pairs() -> None:
    """Stage one: honest over dishonest. Stage two: both honest, at the threshold over below it."""
    batch = pa.table(
        {
            "chosen_h2": [7.0, 6.0, 6.0, 8.0, None, 9.0, 5.0],
            "rejected_h2": [7.0, 5.0, 6.0, 2.0, 3.0, 3.0, 4.0],
            "chosen_h2_honest": [True, True, True, False, True, True, True],
            "rejected_h2_honest": [False, True, True, False, False, None, True],
        }
    )
    told = "not parted by honesty or threshold"
    dishonest, none = "the chosen answer is not honest", "not judged"
    first = HonestPairs(stage="one").why_drop(batch).to_pylist()
    assert first == [None, told, told, dishonest, none, none, told]
    assert HonestPairs(stage="two").why_drop(batch).to_pylist()[:3] == [told, None, told]
    assert HonestPairs().why_drop(batch).to_pylist() == [None, None, told, dishonest, none, none, told]
    assert HonestPairs(threshold=5).why_drop(batch).to_pylist()[-1] is None
