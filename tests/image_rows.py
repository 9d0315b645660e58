"""Rows whose answers are images, scored on fakes, for tests of scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from rather.core.row import ANSWER, COLUMNS, text_messages
from rather.core.stage import Score
from rather.models.fake_vision import FakeImageReward, FakeVision

from .judges import FakeContext
from .photos import photo

SEE = FakeVision(most=6)
A, B, C, D = (photo(k) for k in range(4))
BROKEN = A[: len(A) // 2]
FALLBACKS = ("open_clip", "align", "blip", "dino", "csd", "efficientnet")
MODELS: dict[str, Any] = dict.fromkeys(FALLBACKS, SEE) | {"pickscore": FakeImageReward()}


def image(data: bytes | None) -> dict[str, Any] | None:
    return None if data is None else {"bytes": data, "path": None}


def answer(data: bytes | None) -> dict[str, Any]:
    return {"image": image(data), "text": None}


def table(*rows: tuple[str | None, Any, Any, list[bytes] | None]) -> pa.Table:
    """Prompt, chosen, rejected and reference images a row; the answers are images, or "none" for no answer."""
    prompts, chosen, rejected, references = zip(*rows, strict=True)
    sides = [[None if data == "none" else answer(data) for data in side] for side in (chosen, rejected)]
    return pa.table(
        {
            "prompt": text_messages(pa.array(prompts, pa.string())),
            "chosen": pa.array(sides[0], ANSWER),
            "rejected": pa.array(sides[1], ANSWER),
            "images": pa.array([None if r is None else [image(d) for d in r] for r in references], COLUMNS["images"]),
        }
    )


def sets(*rows: tuple[str | None, list[Any] | None, list[bytes]]) -> pa.Table:
    """Prompt, candidates and reference images a row."""
    prompts, candidates, references = zip(*rows, strict=True)
    listed = [None if c is None else [None if d == "none" else answer(d) for d in c] for c in candidates]
    return pa.table(
        {
            "prompt": text_messages(pa.array(prompts, pa.string())),
            "candidates": pa.array(listed, COLUMNS["candidates"]),
            "images": pa.array([[image(d) for d in r] for r in references], COLUMNS["images"]),
        }
    )


def scored(stage: Score, batch: pa.Table, models: dict[str, Any] | None = None) -> dict[str, list[Any]]:
    found = stage.score(batch, FakeContext(models or MODELS))
    assert list(found) == [column.name for column in stage.columns_written()]
    for column in stage.columns_written():
        assert column.type is None or found[column.name].type == column.type
    return {name: array.to_pylist() for name, array in found.items()}


def cos(a: bytes, b: bytes) -> float:
    x, y = SEE.encode([a, b]).astype(np.float64)
    return float(x @ y)


def cos_text(text: str, data: bytes) -> float:
    return float(SEE.encode_text([text])[0].astype(np.float64) @ SEE.encode([data])[0])


FAULTS = table(
    ("a red hat", A, B, [C, D]),
    (None, A, None, [C]),
    ("a red hat", BROKEN, A, [C]),
    ("one two three four five six seven", A, "none", []),
    ("a red hat", A, B, [C, BROKEN]),
    ("a red hat", A, b"", None),
)
