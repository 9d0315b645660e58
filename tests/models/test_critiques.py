"""Whatever a critic writes: readers give a verdict or say why there is none, and do not take long over it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.paid import Reply
from rather.models.critiques import read_critique, read_scored, stripped, verdict_of
from rather.models.verdict import Reader
from rather.synth.critique_corrected import read_corrected
from rather.synth.critique_judgments import read_judgment
from rather.synth.critique_units import place

WORDS = st.sampled_from(
    ["Conclusion:", "right", "wrong", "[END]", "Step 1:", "Step 2:", "Correct", "Wrong", "Score:", "7", "/10", "\n",
     "**", "Corrected solution:", '{"better":', "1}", "<think>", "I can't", "é", "🙂", "_"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=20).map(" ".join) | st.text(max_size=200)
READERS = [read_critique(), read_critique(2), read_scored(1, 10), read_corrected(2), read_judgment("sample", 7)]


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
