"""Rewritten prompts: the answer's tags, every fall-back by name, and rewrites as candidates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.rewrite_prompt import KEYPOINTS, RewritePrompt

from .scripted import ran, row_of

ASKED = "at most 150 words"


def rewritten(said: Any, **options: Any) -> Any:
    return ran(RewritePrompt(**options), row_of("two red dogs"), [(ASKED, said)])[0]


def test_there_are_24_key_points_in_six_groups() -> None:
    assert len(KEYPOINTS) == 6 and sum(map(len, KEYPOINTS.values())) == 24
    _, writer = ran(RewritePrompt(), row_of("two red dogs"), [(ASKED, "<answer>x</answer>")])
    assert all(point in writer.asked[0] for points in KEYPOINTS.values() for point in points)
    assert "two red dogs" in writer.asked[0]


@pytest.mark.parametrize(
    ("said", "text", "how"),
    [
        ("<think>two, red</think><answer>Two red dogs\n on grass.</answer>", "Two red dogs on grass.", "answer"),
        ("<think>an <answer>early</answer> idea</think> <answer>The one.</answer>", "The one.", "answer"),
        ("<answer>First.</answer> or rather <answer>Second.</answer>", "Second.", "answer"),
        ("<think>hm</think>Two red dogs, in oil.", "Two red dogs, in oil.", "text"),
        ("<answer>Two red dogs, unclosed", "Two red dogs, unclosed", "text"),
        ("<answer></answer>", "two red dogs", "original: unparsable"),
        ("", "two red dogs", "original: unparsable"),
        (Reply("I'm sorry, I can't help with that.", "refusal"), "two red dogs", "original: refused"),
        (Reply("<think>so many words", "length"), "two red dogs", "original: truncated"),
    ],
)
def test_what_is_read_and_how_it_is_called(said: Any, text: str, how: str) -> None:
    [row] = rewritten(said)
    assert row["prompt"][0]["content"] == text and row["rewritten_by"] == how
    assert row["original_prompt"] == "two red dogs"


def test_rewrites_as_candidates_of_the_original() -> None:
    said = ["<answer>A.</answer>", "<answer>B.</answer>", "<answer>A.</answer>", Reply("", "refusal"), "C."]
    stage = RewritePrompt(write="candidates", n=5)
    [row], writer = ran(stage, row_of("two red dogs"), [(ASKED, said)])
    assert [c["text"] for c in row["candidates"]] == ["A.", "B.", "C."], "each once, the refusal not at all"
    assert set(row) == {"candidates"} and stage.calls_a_row() == 5 == len(writer.asked)
    assert [json.loads(c["made_by"]["params"])["read"] for c in row["candidates"]] == ["answer", "answer", "text"]
    assert [c["made_by"]["seed"] for c in row["candidates"]] == [7, 8, 11]
    nothing = rewritten(Reply("", "refusal"), write="candidates", n=2)
    assert isinstance(nothing, Drop) and nothing.reason == "rewrite: refused"


def test_faults() -> None:
    assert "temperature" in RewritePrompt(write="candidates", temperature=0).faults()[0]
    assert RewritePrompt(prompts="no_such_template").faults()
    assert RewritePrompt(temperature=0).faults() == []
