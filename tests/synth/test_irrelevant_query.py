"""Ties under unrelated prompts: which prompt is taken, and that nobody trains on a tie as a preference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.irrelevant_query import IrrelevantQuery

from ..runs import run_text
from .scripted import ran, row_of

ROW = row_of(
    "Which gas do plants take in?",
    chosen="Plants take in carbon dioxide.",
    rejected="Plants take in helium.",
    prompt_hash=9,
    other_prompts=["What do green plants need to grow?", "Who wrote Hamlet?", "Name a river in France."],
)


def made(row: dict[str, Any], **options: Any) -> Any:
    return ran(IrrelevantQuery(**options), row, [], static=StaticText())[0]


def test_a_tie_in_full() -> None:
    """The first other prompt is about plants too, so the second is taken."""
    kept, tie = made(ROW)
    assert kept == {"augmentation": "original", "origin_hash": 9, "query_similarity": None}
    similarity = tie.pop("query_similarity")
    assert similarity <= 0.3
    sides = {side: tie.pop(side) for side in ("chosen", "rejected")}
    for side, answer in sides.items():
        origin = answer.pop("made_by")
        assert answer == {"text": ROW[side]["text"], "turns": None, "image": None, "model": None}
        assert json.loads(origin["params"]) == {"prompt": "Who wrote Hamlet?", "similarity": round(similarity, 4)}
        assert (origin["stage"], origin["method"]) == ("synth.irrelevant_query", "irrelevant prompt")
    assert tie == {
        "prompt": [{"role": "user", "content": "Who wrote Hamlet?", "parts": None, "tool_calls": None}],
        "verdict": "tie", "augmentation": "neutral", "origin_hash": 9,
    }  # fmt: skip


def test_pitfall_an_unrelated_prompt_may_be_relevant_by_accident() -> None:
    """It is compared with the answers too: an answer that names a river is not worthless to the third prompt."""
    row = ROW | {"rejected": {"text": "Plants grow by the river Loire in France."}}
    row["other_prompts"] = ["Name a river in France.", "Who wrote Hamlet?"]
    assert made(row)[1]["prompt"][0]["content"] == "Who wrote Hamlet?"
    encoder = StaticText()
    a, b, c = encoder.encode(
        ["Name a river in France.", "Plants grow by the river Loire in France.", row["prompt"][0]["content"]]
    )
    assert a @ b > 0.3 > a @ c


def test_without_an_irrelevant_prompt_the_row_stands_alone() -> None:
    row = ROW | {"other_prompts": ["Which gas do plants need?", None, " "]}
    assert [r["augmentation"] for r in made(row)] == ["original"]
    assert made(row, original=False) == Drop("no irrelevant prompt")
    assert made(ROW | {"other_prompts": None}, original=False) == Drop("no irrelevant prompt")


def test_what_came_before_is_kept() -> None:
    row = ROW | {"augmentation": "causal", "origin_hash": 4, "images": [{"bytes": b"x", "path": None}]}
    kept, tie = made(row)
    assert (kept["augmentation"], kept["origin_hash"], tie["origin_hash"]) == ("causal", 4, 4)
    assert tie["images"] is None and "images" not in kept
    one = made(ROW | {"other_prompts": "Who wrote Hamlet?"}, query="other_prompts")
    assert one[1]["prompt"][0]["content"] == "Who wrote Hamlet?"
    assert made(ROW | {"chosen": None}) == Drop("no chosen answer")


@pytest.mark.parametrize("dialect", ["trl_preference", "trl_reward", "trl_kto"])
def test_pitfall_plain_trainers_get_no_tie_and_are_told_how_many(tmp_path: Path, dialect: str) -> None:
    lines = [
        {"prompt": f"Tell me about {thing}.", "chosen": f"The {thing} is {k} feet long.", "rejected": f"No {thing}."}
        for k, thing in enumerate(["whale", "violin", "treaty", "omelette", "glacier", "senate"])
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    view = run_text(
        f"""
name: ties
seed: 3
stages:
  - read.pairs: {{path: {tmp_path / "pairs.jsonl"}}}
  - synth.random_others: {{k: 3}}
  - synth.irrelevant_query: {{ceiling: 0.5}}
  - write.parquet: {{path: data, dialect: {dialect}}}
""",
        tmp_path / "run",
    )
    facts = view.facts["write.parquet"]
    rows = view.frame("synth.irrelevant_query").table(["verdict", "prompt_hash", "origin_hash"]).to_pylist()
    ties = sum(row["verdict"] == "tie" for row in rows)
    assert 4 <= ties <= 6 and len(rows) == 6 + ties
    assert facts["left_out"] == {"tie": ties}
    assert sum(row["prompt_hash"] != row["origin_hash"] for row in rows) == ties
