"""Images of a column as bytes, each row for itself: what one lacks costs no other anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import RowError
from ..core.row import flat
from ..models.imaging import bytes_of

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
