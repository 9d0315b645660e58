"""Images of a column as vectors, each row for itself: one bad picture costs no other its vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import RowError
from ..core.row import flat
from ..models.imaging import bytes_of, readable

if TYPE_CHECKING:
    from ..models.base import ImageEncoder

Outcome = Literal["ok", "no image", "unreadable"]
Picture = Mapping[str, Any] | None


def images_in(column: pa.Array | pa.ChunkedArray) -> list[Picture]:
    """The images of a column of answers as {bytes, path}; None where there is none."""
    answers = flat(column)
    images = pc.struct_field(answers, "image")
    found: list[Picture] = pc.if_else(answers.is_valid(), images, pa.scalar(None, images.type)).to_pylist()
    return found


def data_of(image: Picture) -> tuple[bytes, Outcome]:
    """The bytes of an image, and whether there are some; not decoded."""
    if not image or (image.get("bytes") is None and not image.get("path")):
        return b"", "no image"
    try:
        return bytes_of(image), "ok"
    except RowError:
        return b"", "unreadable"


def vectors_of(images: Sequence[Picture], encoder: ImageEncoder) -> tuple[np.ndarray, list[Outcome]]:
    """Unit vectors float32 [n, dim], rows of NaN where the outcome is not ok."""
    found = [data_of(image) for image in images]
    data, outcomes = [bytes for bytes, _ in found], [outcome for _, outcome in found]
    vectors = np.full((len(images), encoder.dim), np.nan, np.float32)
    there = [k for k, outcome in enumerate(outcomes) if outcome == "ok"]
    try:
        encoded = encoder.encode([data[k] for k in there]) if there else vectors[:0]
    except RowError:  # some picture is broken: which ones is found by opening each
        for k in there:
            outcomes[k] = "ok" if readable(data[k]) else "unreadable"
        there = [k for k in there if outcomes[k] == "ok"]
        encoded = encoder.encode([data[k] for k in there]) if there else vectors[:0]
    vectors[there] = encoded
    return vectors, outcomes
