"""Questions without their options: what is recognised, what makes no sense without them, whose answer is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rather.core.stage import Drop
from rather.synth.mcq_to_open import McqToOpen, choice_of, right_of

from ..judges import FakeContext

LINES = """What colour is the hat?
Options:
A. red
B. dark blue
C) green
Answer with the option's letter from the given choices directly."""
INLINE = "What colour is the hat? (A) red, (B) dark blue, (C) green."


def opened(text: str, reference: str | None = "B", parts: Any = None, **options: Any) -> Any:
    message = {"role": "user", "content": text, "parts": parts, "tool_calls": None}
    stage = McqToOpen(**options)
    found = asyncio.run(stage.map({"prompt": [message], "reference": reference}, FakeContext({})))
    if isinstance(found, Drop):
        return found.reason
    [row] = found
    return row["prompt"][-1]["content"], row["reference"], row["options"]


@pytest.mark.parametrize("text", [LINES, INLINE, "What colour is the hat?\n(A) red\n(B) dark blue\n(C) green\n"])
def test_options_go_and_the_letter_becomes_words(text: str) -> None:
    assert opened(text) == ("What colour is the hat?", "dark blue", ["red", "dark blue", "green"])


@pytest.mark.parametrize("reference", ["B", "(b)", "B.", "Answer: B", "dark blue", "Dark Blue.", "B. dark blue"])
def test_a_reference_names_its_option(reference: str) -> None:
    assert right_of(["red", "dark blue"], reference) == "dark blue"


def test_what_needs_its_options_is_dropped() -> None:
    lost = "makes no sense without its options"
    assert opened("Which of the following is a hat?\nA. this\nB. that") == lost
    assert opened("What is seen?\nA. a cat\nB. all of the above") == lost
    assert opened("A. a cat\nB. a dog") == lost
    assert (
        opened(LINES, "E") == opened(LINES, "purple") == opened(LINES, None) == "the reference is none of the options"
    )


def test_open_questions_stay_as_they_are() -> None:
    for text in ("What colour is the hat?", "A. Smith wrote B. Jones a letter.", "B. red\nC. blue", "", "A. one only"):
        assert choice_of(text) is None
        assert opened(text, "red") == (text, "red", None) and opened(text, others="drop") == "no options"
    assert choice_of("Why?\nA. red\nnot an option but a thought\nB. blue") is None


def test_pictures_of_the_message_stay() -> None:
    parts = [{"type": "image", "text": None, "image": 0}, {"type": "text", "text": LINES, "image": None}]
    message = {"role": "user", "content": LINES, "parts": parts, "tool_calls": None}
    found = asyncio.run(McqToOpen().map({"prompt": [message], "reference": "A"}, FakeContext({})))
    assert not isinstance(found, Drop)
    [kept, text] = found[0]["prompt"][0]["parts"]
    assert kept == parts[0] and text["text"] == "What colour is the hat?" and found[0]["reference"] == "red"
