"""Whatever a critic writes: readers give a verdict or say why there is none, and do not take long over it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.paid import Reply
from rather.models.critiques import labels_of, read_critique, read_scored, stripped, verdict_of
from rather.models.verdict import Outcome, Reader
from rather.synth.critique_corrected import read_corrected
from rather.synth.critique_judgments import read_judgment
from rather.synth.critique_units import place

WORDS = st.sampled_from(
    ["Conclusion:", "right", "wrong", "[END]", "Step 1:", "Step 2:", "Correct", "Wrong", "Score:", "7", "/10", "\n",
     "**", "Corrected solution:", '{"better":', "1}", "<think>", "I can't", "é", "🙂", "_"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=20).map(" ".join) | st.text(max_size=200)
READERS = [read_critique(), read_critique(2), read_scored(1, 10), read_corrected(2), read_judgment("sample", 7)]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Fine.\nConclusion: right [END]", "right"),
        ("**Conclusion:** Incorrect.", "wrong"),
        ("Conclusion: wrong\nNo, wait.\nConclusion: right", "right"),
        ("The conclusion: it is right", None),
        ("Conclusion: right/wrong [END]", None),
        ("Conclusion: right or wrong", None),
        ("It is right.", None),
    ],
)
def test_a_verdict_stands_on_a_line_of_its_own(text: str, verdict: str | None) -> None:
    assert verdict_of(text) == verdict


def test_pitfall_the_terminator_is_no_part_of_a_critique() -> None:
    assert stripped("Good.\nConclusion: right [END]\nand more") == "Good.\nConclusion: right"
    read = read_critique()
    assert (
        read(Reply("Four eggs are missing.\nConclusion: wrong [END]")).value.text
        == "Four eggs are missing.\nConclusion: wrong"
    )
    assert read(Reply("no verdict here, but many words of it")).outcome is Outcome.UNPARSABLE
    assert read(Reply("All steps hold.\nConclusion: right [END]", "length")).outcome is Outcome.TRUNCATED
    assert read(Reply("I'm sorry, I can't help with that.")).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Step 1: Correct - yes\nStep 2: Wrong - no\nConclusion: wrong", (True, False, None)),
        ("**Step 1:** Correct\nStep 2. correct\nStep 3: Correct\nConclusion: right", (True, True, True)),
        ("Step 1: Wrong\nStep 1: Correct\nConclusion: wrong", (False, None, None)),
    ],
)
def test_steps_up_to_the_first_wrong_one_have_labels(text: str, labels: tuple[bool | None, ...]) -> None:
    assert labels_of(text, 3) == labels
    assert read_critique(3)(Reply(text)).value.labels == labels


@pytest.mark.parametrize(
    "text",
    [
        "Step 1: Correct\nStep 2: Correct\nStep 3: Correct\nConclusion: wrong",
        "Step 1: Wrong\nConclusion: right",
        "Step 2: Wrong\nConclusion: wrong",
        "Step 1: Correct\nStep 2: Correct\nConclusion: right",
    ],
)
def test_steps_that_contradict_the_conclusion_or_are_left_out_are_not_read(text: str) -> None:
    assert read_critique(3)(Reply(text)).outcome is Outcome.UNPARSABLE


def test_a_score_stands_on_the_last_line_or_is_none() -> None:
    read = read_scored(1, 10)
    assert read(Reply("Well said.\n**Score: 7/10**")).value.score == 7
    assert read(Reply("I would give 7 points for it.")).outcome is Outcome.UNPARSABLE, "a failure to read is no score"
    assert read(Reply("Score: 12")).outcome is Outcome.OFF_SCALE
    assert read(Reply("Score: 7/20")).outcome is Outcome.OFF_SCALE
    assert read(Reply("Good.\nScore: 7", "length")).outcome is Outcome.TRUNCATED


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(["stop", "length", "refusal"]))
def test_a_reader_gives_a_value_or_a_reason(text: str, finish: str) -> None:
    for read in READERS:
        verdict = read(Reply(text, finish))
        assert verdict.ok == (verdict.value is not None)
        assert verdict.ok or verdict.why or finish != "stop" or not text.strip()


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_what_is_read_stands_in_the_reply(text: str) -> None:
    assert "[END]" not in stripped(text) and text.startswith(stripped(text))
    found = read_critique()(Reply(text))
    assert not found.ok or found.value.verdict == verdict_of(found.value.text)
    scored = read_scored(1, 10)(Reply(text))
    assert not scored.ok or 1 <= scored.value.score <= 10


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(0, 59), st.integers(1, 20))
def test_a_quote_of_a_text_is_found_in_it(text: str, start: int, length: int) -> None:
    quote = text[start : start + length]
    at = place(quote, text)
    assert (at is None) == (not quote.strip())
    assert at is None or text[slice(*at)] == quote


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", ["\n" * 100_000, "*" * 100_000, "- \n" * 40_000, "conclusion" + " " * 100_000])
def test_a_model_that_runs_on_costs_no_time(read: Reader, text: str) -> None:
    began = time.perf_counter()
    read(Reply(f"So.{text}end"))
    assert time.perf_counter() - began < 2
