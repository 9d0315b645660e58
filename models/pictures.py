"""Pictures as parts of a message to a chat model."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..core.errors import RowError

Part = dict[str, str]
_SIGNS: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"GIF8", "image/gif"))


def picture_part(image: Mapping[str, Any]) -> Part:
    """A message part from an image of `core.row.IMAGE`; RowError when there is nothing to read."""
    data = image.get("bytes")
    if data is None:
        try:
            data = Path(image.get("path") or "").read_bytes()
        except OSError as error:
            cause = f"the picture {image.get('path')} cannot be read"
            raise RowError(cause, hint="keep its bytes in the row, or correct its path") from error
    return {"type": "image", "data": base64.b64encode(data).decode("ascii"), "mime": mime_of(data)}


def mime_of(data: bytes) -> str:
    """The type of an image by its first bytes; JPEG where they say nothing."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for sign, mime in _SIGNS if data.startswith(sign)), "image/jpeg")
