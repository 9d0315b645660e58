"""New examples by the feedback on one: every step, what is left out, what is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.reference_feedback import ReferenceFeedback

from .scripted import ran, real_pairs, row_of, texts

SEED = row_of("Explain tides to a child.", chosen="The moon pulls the sea, so it comes and goes twice a day.")
NEW = ["Describe how bread rises to a baker's apprentice.", "Compare two ways of storing wind power for a town hall."]


def script(items: list[str] = NEW, **said: Any) -> list[Any]:
    return [
        ("What makes this prompt valuable", said.get("prompt_feedback", "Names its reader.")),
        ("What makes this answer good", said.get("answer_feedback", "One cause, plain words.")),
        ("new prompts with the same qualities", said.get("prompts", json.dumps({"items": items}))),
        (["The revised answer:", NEW[1]], said.get("other", "Pumped water stores more than batteries do.")),
        ("The revised answer:", said.get("refine", "Yeast makes gas, and gas lifts the dough.")),
        (NEW[0], said.get("draft", "It rises due to yeast.")),
        (NEW[1], "There are many ways."),
    ]


def test_the_rows_in_full() -> None:
    found, model = ran(ReferenceFeedback(new=2), SEED, script())
    shared = {
        "verdict": "prefer", "seed_id": "row0", "seed_prompt": "Explain tides to a child.",
        "seed_answer": "The moon pulls the sea, so it comes and goes twice a day.", "seed_repeats": 0,
        "prompt_feedback": "Names its reader.", "answer_feedback": "One cause, plain words.", "seed_failures": 0,
    }  # fmt: skip
    assert [texts(row) for row in found] == [
        shared | {"prompt": NEW[0], "chosen": "Yeast makes gas, and gas lifts the dough.",
                  "rejected": "It rises due to yeast."},
        shared | {"prompt": NEW[1], "chosen": "Pumped water stores more than batteries do.",
                  "rejected": "There are many ways."},
    ]  # fmt: skip
    assert found[0]["chosen"]["made_by"] == {
        "stage": "synth.reference_feedback", "method": "refine", "params": '{"seed_id":"row0","step":2}',
        "model": "scripted", "seed": None,
    }  # fmt: skip
    assert found[0]["rejected"]["made_by"]["method"] == "draft"
    assert len(model.asked) == 3 + 2 * 2 == ReferenceFeedback(new=2).calls_a_row()


def test_feedback_is_asked_for_once_and_shared() -> None:
    """The method's point: one feedback a seed, however many new examples, and never on the draft itself."""
    _, model = ran(ReferenceFeedback(new=2), SEED, script())
    assert sum("What makes this" in text for text in model.asked) == 2
    refining = [text for text in model.asked if "The revised answer:" in text]
    assert len(refining) == 2 and all("One cause, plain words." in text for text in refining)
    assert all("tides" not in text for text in refining), "no content of the seed reaches the revision"


def test_pitfall_feedback_carries_over_to_any_subject() -> None:
    """Pitfall: feedback bound to the seed's subject leaks it; transferable qualities are asked for."""
    _, model = ran(ReferenceFeedback(new=2), SEED, script())
    assert all("carry over to any subject" in text for text in model.asked if "What makes this" in text)


def test_repeats_are_left_out_and_counted() -> None:
    items = ["Explain tides to a small child.", NEW[0], NEW[0].upper() + "!", " ", NEW[1]]
    found, _ = ran(ReferenceFeedback(new=5), SEED, script(items))
    assert [texts(row)["prompt"] for row in found] == NEW and {row["seed_repeats"] for row in found} == {2}
    none, _ = ran(ReferenceFeedback(new=5), SEED, script(items[:1]))
    assert none == Drop("no new prompt", {"repeats": 1})
    few, _ = ran(ReferenceFeedback(new=1), SEED, script())
    assert [texts(row)["prompt"] for row in few] == NEW[:1]


@pytest.mark.parametrize(
    "said",
    [{"draft": Reply("It ris", "length")}, {"refine": "I'm sorry, I can't."}, {"refine": "it RISES due to yeast"}],
)
def test_an_unsound_draft_or_revision_costs_its_prompt_alone(said: dict[str, Any]) -> None:
    found, _ = ran(ReferenceFeedback(new=2), SEED, script(**said))
    assert [texts(row)["prompt"] for row in found] == NEW[1:] and found[0]["seed_failures"] == 1
    alone, _ = ran(ReferenceFeedback(new=1), SEED, script(**said))
    assert alone == Drop("no sound new pair", {"prompts": 1, "repeats": 0})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"prompt_feedback": Reply("", "refusal")}, "prompt_feedback: refused"),
        ({"answer_feedback": Reply("Good, be", "length")}, "answer_feedback: truncated"),
        ({"prompts": "1. Write something"}, "prompts: unparsable"),
        ({"prompts": '{"items": []}'}, "prompts: unparsable"),
    ],
)
def test_a_seed_without_feedback_or_prompts_goes(said: dict[str, Any], reason: str) -> None:
    found, _ = ran(ReferenceFeedback(new=2), SEED, script(**said))
    assert isinstance(found, Drop) and found.reason == reason


def test_real_seeds(data: Path) -> None:
    for seed in real_pairs(data, "dpo_demo_en.jsonl"):
        found, _ = ran(ReferenceFeedback(new=2), seed, script())
        assert [texts(row)["prompt"] for row in found] == NEW
        assert found[0]["seed_answer"] == seed["chosen"]["text"]
