"""Images of a column as bytes, each row for itself: what one lacks costs no other anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import RowError
from ..core.row import flat
from ..models.imaging import bytes_of

Picture = Mapping[str, Any] | None


def images_in(column: pa.Array | pa.ChunkedArray) -> list[Picture]:
    """The images of a column of answers as {bytes, path}; None where there is none."""
    answers = flat(column)
    images = pc.struct_field(answers, "image")
    found: list[Picture] = pc.if_else(answers.is_valid(), images, pa.scalar(None, images.type)).to_pylist()
    return found


def opened(pictures: Iterable[Picture]) -> tuple[list[bytes | None], list[str]]:
    """The bytes of each image, not decoded, and its outcome: ok, no image, or unreadable; None unless ok."""
    data = [data_of(picture) for picture in pictures]
    return [image for image, _ in data], [outcome for _, outcome in data]


def data_of(image: Picture) -> tuple[bytes | None, str]:
    """The bytes of an image, not decoded, and its outcome."""
    if not image or (image.get("bytes") is None and not image.get("path")):
        return None, "no image"
    try:
        return bytes_of(image), "ok"
    except RowError:
        return None, "unreadable"
