"""Vectors of texts, and the nearest other prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import ANSWER, MESSAGES, arrow_vectors, text_answers, text_messages
from rather.filters.embed_text import EmbedText
from rather.filters.neighbor import EmbedNeighbor
from rather.models.fakes import FakeTextEncoder

from ..narrows import narrow_of


class Models:
    """A context with one encoder, under the name the stage uses unless told otherwise."""

    models = {"static": FakeTextEncoder(dim=16)}


def embedded(batch: pa.Table, **options: Any) -> dict[str, pa.Array]:
    stage = EmbedText(**options)
    columns = dict(stage.score(batch, Models()))  # type: ignore[arg-type]
    assert set(columns) == {column.name for column in stage.columns_written()}
    return columns


def vector(text: str) -> list[float]:
    return FakeTextEncoder(dim=16).encode([text])[0].tolist()


def test_vectors_of_a_pair() -> None:
    batch = pa.table(
        {
            "prompt": text_messages(pa.array(["why", "why", None])),
            "chosen": text_answers(pa.array(["so", "", None])),
            "rejected": text_answers(pa.array(["no", "so", "no"])),
        }
    )
    columns = embedded(batch)
    assert columns["prompt_vector"].to_pylist() == [vector("why"), vector("why"), None]
    assert columns["chosen_vector"].to_pylist() == [vector("so"), [0.0] * 16, None]
    assert columns["rejected_vector"].to_pylist() == [vector("no"), vector("so"), vector("no")]
    assert columns["prompt_vector"].type == pa.list_(pa.float32(), 16)


def test_a_dialogue_is_its_last_message_or_the_whole() -> None:
    turns = [{"role": r, "content": c, "parts": None, "tool_calls": None} for r, c in (("user", "a"), ("user", "b"))]
    batch = pa.table({"prompt": pa.array([turns], MESSAGES)})
    assert embedded(batch, of=("prompt",))["prompt_vector"].to_pylist() == [vector("b")]
    assert embedded(batch, of=("prompt",), prompt="whole")["prompt_vector"].to_pylist() == [vector("a\n\nb")]


def test_candidates_have_a_list_of_vectors_also_on_a_slice() -> None:
    blank: dict[str, Any] = dict.fromkeys(ANSWER.names)
    rows = [[blank | {"text": t} for t in texts] if texts is not None else None for texts in ("x", "ab", "", None, "c")]
    batch = pa.table({"candidates": pa.array(rows, pa.list_(ANSWER))}).slice(1)
    found = embedded(batch, of=("candidates",))["candidates_vector"].to_pylist()
    assert found == [[vector("a"), vector("b")], [], None, [vector("c")]]


def test_rows_are_independent_of_their_batch() -> None:
    texts = [f"word{k % 7} and word{k}" for k in range(50)]
    batch = pa.table({"note": pa.array(texts)})
    whole = embedded(batch, of=("note",))["note_vector"]
    parts = [embedded(batch.slice(k, 1), of=("note",))["note_vector"] for k in range(50)]
    assert whole.equals(pa.concat_arrays(parts))


def neighbours(folder: Path, angles: list[float | None], answers: list[str | None], **options: Any) -> list[Any]:
    """Rows r0, r1 … at these angles (degrees); prompts are equal where the angles are."""
    degrees = [0.0 if angle is None else angle for angle in angles]
    turn = np.deg2rad(degrees)
    flat = pa.array(np.stack([np.cos(turn), np.sin(turn)], 1).astype(np.float32).reshape(-1))
    mask = pa.array([angle is None for angle in angles])
    columns = {
        "id": [f"r{k}" for k in range(len(angles))],
        "prompt_hash": [int(angle) for angle in degrees],
        "prompt_vector": pa.FixedSizeListArray.from_arrays(flat, 2, mask=mask),
        "chosen": text_answers(pa.array(answers, pa.string())),
    }
    found = EmbedNeighbor(**options).fit(narrow_of(folder, columns), None)  # type: ignore[arg-type]
    names = ("neighbor_id", "neighbor_similarity", "neighbor_answer")
    return list(zip(*(pa.array(found[name]).to_pylist() for name in names), strict=True))


def test_the_nearest_other_prompt_and_its_answer(tmp_path: Path) -> None:
    """Prompts at 0, 0, 60, 90 and 180 degrees: nearest 60, 90, 60 and 90; cosines .5, .866, .866, 0."""
    found = neighbours(tmp_path, [0, 0, 60, 90, 180], ["a", "b", "c", "d", "e"])
    assert [row[0] for row in found] == ["r2", "r2", "r3", "r2", "r3"]
    assert [row[2] for row in found] == ["c", "c", "d", "c", "d"]
    expected = [np.cos(np.deg2rad(x)) for x in (60, 60, 30, 30, 90)]
    np.testing.assert_allclose([row[1] for row in found], expected, atol=1e-6)


def test_the_same_prompt_in_other_words_is_passed_over(tmp_path: Path) -> None:
    """1 degree apart is a cosine of .9998; 20 degrees .94."""
    found = neighbours(tmp_path, [0, 1, 20], ["a", "b", "c"])
    assert [row[0] for row in found] == ["r2", "r2", "r1"]
    assert [row[0] for row in neighbours(tmp_path, [0, 1, 20], ["a", "b", "c"], most=1.0)] == ["r1", "r0", "r1"]
    assert neighbours(tmp_path, [0, 1], ["a", "b"]) == [(None, None, None)] * 2


def test_rows_without_vector_or_answer_neither_give_nor_take(tmp_path: Path) -> None:
    found = neighbours(tmp_path, [None, 0, 30, 60], ["a", "b", None, "d"])
    assert [row[0] for row in found] == [None, "r3", None, "r1"]
    assert neighbours(tmp_path, [10], ["a"]) == [(None, None, None)]


def test_the_neighbours_last_message_is_copied(tmp_path: Path) -> None:
    asked = [["Hello.", "Who wrote Faust?"], ["Who wrote Hamlet?"], ["Bake bread."]]
    columns = {
        "id": ["a", "b", "c"], "prompt_hash": [1, 2, 3],
        "prompt": pa.array([[{"role": "user", "content": text} for text in texts] for texts in asked], MESSAGES),
        "prompt_vector": arrow_vectors(np.array([[1, 0.1], [1, 0.5], [0, 1]], np.float32)),
    }  # fmt: skip
    found = EmbedNeighbor().fit(narrow_of(tmp_path, columns), None)  # type: ignore[arg-type]
    expected = ["Who wrote Hamlet?", "Who wrote Faust?", "Who wrote Hamlet?"]
    assert pa.array(found["neighbor_prompt"]).to_pylist() == expected
    far = EmbedNeighbor(most=0.1).fit(narrow_of(tmp_path, columns), None)  # type: ignore[arg-type]
    assert pa.array(far["neighbor_prompt"]).to_pylist() == ["Bake bread.", None, "Who wrote Faust?"]


@pytest.mark.parametrize("name", ["chosen", "reply"])
def test_without_the_answer_column_only_ids_are_found(tmp_path: Path, name: str) -> None:
    columns = {"id": ["a", "b"], "prompt_hash": [1, 2], "prompt_vector": arrow_vectors(np.eye(2, dtype=np.float32))}
    found = EmbedNeighbor(answer=name).fit(narrow_of(tmp_path, columns), None)  # type: ignore[arg-type]
    assert pa.array(found["neighbor_id"]).to_pylist() == ["b", "a"]
    assert pa.array(found["neighbor_answer"]).to_pylist() == [None, None]
    assert pa.array(found["neighbor_prompt"]).to_pylist() == [None, None]
