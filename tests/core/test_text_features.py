"""Surface features of answers: values by hand, and independence of the other rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.errors import InputError
from rather.core.text_features import NAMES, answer_features


def features(prompt: str | None, answer: str | None) -> dict[str, float]:
    """One row's features by name."""
    values, names = answer_features(pa.array([prompt], pa.string()), pa.array([answer], pa.string()))
    return dict(zip(names, values[0].tolist(), strict=True))


def test_lengths_and_overlaps_by_hand() -> None:
    """Answer of 6 words, 4 distinct, of which "cats", "eat" and "3" stand in the 4-word prompt."""
    found = features("Do cats eat 3?", "Cats eat. Big cats eat 3 ")
    assert found["log_words"] == pytest.approx(np.log1p(6))
    assert found["log_chars"] == pytest.approx(np.log1p(25))
    assert found["repetition"] == pytest.approx(2 / 6)
    assert found["overlap_of_answer"] == pytest.approx(3 / 4)
    assert found["overlap_of_prompt"] == pytest.approx(3 / 4)
    assert found["new_words"] == pytest.approx(np.log1p(1))
    assert found["number_overlap_of_prompt"] == 1
    assert found["sentence_ends"] == pytest.approx(1 / 6)
    assert found["opens_capital"] == 1
    assert found["ends_number"] == 1


def test_marks_by_hand() -> None:
    found = features("List two.", "Sorry, I don't know.\n- one\n- **two**\n```x = 3.125```")
    assert found["bullets"] == pytest.approx(np.log1p(2))
    assert found["emphasis"] == pytest.approx(np.log1p(2))
    assert found["code"] == pytest.approx(np.log1p(2))
    assert found["refusals"] == pytest.approx(np.log1p(2))
    assert found["negations"] == pytest.approx(np.log1p(1))
    assert found["long_decimals"] == pytest.approx(np.log1p(1))
    assert found["newlines"] == pytest.approx(np.log1p(3))


def test_empty_and_null_are_alike_and_finite() -> None:
    assert features(None, None) == features("", "")
    assert np.isfinite(list(features("", "").values())).all()
    assert features("a", "")["log_chars"] == 0


def test_no_rows() -> None:
    values, names = answer_features(pa.array([], pa.string()), pa.array([], pa.string()))
    assert values.shape == (0, len(NAMES))
    assert names == NAMES
    assert len(set(names)) == len(names)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="2 prompts for 1 answers"):
        answer_features(pa.array(["a", "b"]), pa.array(["a"]))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=6))
def test_a_row_does_not_depend_on_the_others(rows: list[tuple[str, str]]) -> None:
    prompts, answers = ([row[i].encode("utf-8", "ignore").decode() for row in rows] for i in (0, 1))
    together, _ = answer_features(pa.array(prompts, pa.string()), pa.array(answers, pa.string()))
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        alone, _ = answer_features(pa.array([prompt], pa.string()), pa.array([answer], pa.string()))
        np.testing.assert_array_equal(together[row], alone[0])
    assert np.isfinite(together).all()
    assert together.dtype == np.float32


def test_chunks_and_slices_do_not_matter() -> None:
    prompt, answer = pa.array(["x", "How many? 3", "b"]), pa.array(["y", "There are 3.", "c"])
    whole, _ = answer_features(prompt, answer)
    part, _ = answer_features(prompt.slice(1), answer.slice(1))
    chunked, _ = answer_features(pa.chunked_array([prompt.slice(0, 1), prompt.slice(1)]), pa.chunked_array([answer]))
    np.testing.assert_array_equal(part, whole[1:])
    np.testing.assert_array_equal(chunked, whole)
