"""Chains of revisions: pairs, early ends, rows to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.critique_revise import CritiqueRevise

from .scripted import Scripted, ran, real_pairs, row_of, texts

ROW = row_of("Name a prime.", chosen="Four")
FOUR = [(["Write the critique", "Four"], "Four is even."), (["revised answer:", "is even"], "Three, I think")]
THREE = [(["Write the critique", "Three, I"], "Do not hedge."), (["revised answer:", "hedge"], "Three.")]
DONE = (["Write the critique", "Three."], " Nothing to improve. ")


def test_the_chain_ends_when_the_critic_finds_nothing() -> None:
    found, model = ran(CritiqueRevise(rounds=5), ROW, [*FOUR, *THREE, DONE])
    chain = ["Four", "Three, I think", "Three."]
    shared = {"chain": chain, "chain_end": "nothing found", "verdict": "prefer", "kind": "pair", "revised": 0}
    critique = {"critic": "scripted", "score": None, "verdict": "revise"}
    assert [texts(row) for row in found] == [
        shared | {"chosen": chain[1], "rejected": "Four", "revision": 1, "word_ratio": 3.0,
                  "critique": {"text": "Four is even."} | critique},
        shared | {"chosen": chain[2], "rejected": "Four", "revision": 2, "word_ratio": 1.0,
                  "critique": {"text": "Do not hedge."} | critique},
    ]  # fmt: skip
    assert found[1]["chosen"]["made_by"] == {
        "stage": "synth.critique_revise", "method": "revise", "params": '{"round":2}', "model": "scripted",
        "seed": None,
    }  # fmt: skip
    assert found[0]["rejected"] == {"text": "Four"}, "the given answer keeps what it came with"
    assert len(model.asked) == 5 and CritiqueRevise(rounds=5).calls_a_row() == 10


def test_neighbours_are_paired_on_request() -> None:
    """Pitfall: adjacent answers differ little, so such pairs are made only when asked for, and no pair twice."""
    both, _ = ran(CritiqueRevise(pairs=("first", "adjacent"), rounds=2), ROW, [*FOUR, *THREE])
    assert [(row["revision"], row["revised"]) for row in both] == [(1, 0), (2, 0), (2, 1)]
    assert {row["chain_end"] for row in both} == {"rounds"}
    alone, _ = ran(CritiqueRevise(pairs=("adjacent",), rounds=2), ROW, [*FOUR, *THREE])
    assert [(row["revision"], row["revised"]) for row in alone] == [(1, 0), (2, 1)]


def test_revisions_that_grow_are_told() -> None:
    """Pitfall: revisions grow longer; the growth stands on every row, and neither prompt asks for length."""
    found, model = ran(CritiqueRevise(rounds=1), ROW, FOUR)
    assert found[0]["word_ratio"] == 3.0
    assert "Length is no merit" in model.asked[0] and "do not make the answer longer" in model.asked[1]


@pytest.mark.parametrize(
    ("second", "end"),
    [
        ([(["Write the critique", "Three, I"], Reply("Well", "length"))], "critique truncated"),
        ([THREE[0], (["revised answer:", "hedge"], Reply("", "refusal"))], "revision refused"),
        ([THREE[0], (["revised answer:", "hedge"], "three i THINK!")], "unchanged"),
    ],
)
def test_what_breaks_off_keeps_what_there_is(second: list[Any], end: str) -> None:
    found, _ = ran(CritiqueRevise(), ROW, [*FOUR, *second])
    assert len(found) == 1 and found[0]["chain_end"] == end and found[0]["chain"] == ["Four", "Three, I think"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([("Write the critique", "NOTHING TO IMPROVE")], "no revision: nothing found"),
        ([("Write the critique", Reply("", "refusal"))], "no revision: critique refused"),
        ([FOUR[0], ("revised answer:", "four!")], "no revision: unchanged"),
        ([FOUR[0], ("revised answer:", Reply("Th", "length"))], "no revision: revision truncated"),
    ],
)
def test_a_chain_of_one_is_no_pair(script: list[Any], reason: str) -> None:
    assert ran(CritiqueRevise(), ROW, script)[0] == Drop(reason)


def test_rows_to_train_on_say_what_was_seen() -> None:
    found, _ = ran(CritiqueRevise(emit="training", rounds=1), ROW, FOUR)
    assert [(row["kind"], texts(row)["chosen"], row["rejected"], row["verdict"]) for row in found] == [
        ("critique", "Four is even.", None, None), ("revision", "Three, I think", None, None),
    ]  # fmt: skip
    assert "# Answer\nFour" in found[0]["prompt"][-1]["content"] and "even" not in found[0]["prompt"][-1]["content"]
    assert "# Critique\nFour is even." in found[1]["prompt"][-1]["content"]
    assert [row["chosen"]["made_by"]["method"] for row in found] == ["critique", "revise"]


def test_a_draft_and_a_critic_of_its_own() -> None:
    critic = Scripted([FOUR[0]], "critic")
    stage = CritiqueRevise(answer=None, critic="judge", rounds=1)
    row = row_of("Name a prime.")
    found, model = ran(stage, row, [FOUR[1], ("Name a prime.", "Four")], judge=critic)
    assert found[0]["critique"]["critic"] == "critic" and len(critic.asked) == 1 and len(model.asked) == 2
    assert found[0]["rejected"]["made_by"]["method"] == "draft" and stage.calls_a_row() == 3
    assert ran(stage, row, [("Name a prime.", Reply("", "refusal"))])[0].reason == "draft: refused"
    assert list(CritiqueRevise(pairs=()).faults()) == ["pairs is empty: name first, adjacent or both"]


def test_real_answers(data: Path) -> None:
    for row in real_pairs(data, "truthfulqa.jsonl"):
        found, _ = ran(CritiqueRevise(rounds=1), row, [("Write the critique", "Too sure."), ("revised", "I doubt it.")])
        assert found[0]["chain"] == [row["chosen"]["text"], "I doubt it."]
