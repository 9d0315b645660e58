"""Small copies of images as data URIs, so that one page can show them without loading anything."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from typing import Any, Final, final

SIDE: Final = 320
"""Longest side of a thumbnail, pixels."""
MOST: Final = 12
"""Different thumbnails of one list; images after these are named, not shown."""


@final
class Thumbnails:
    """Thumbnails made on demand, at most `most` different ones; the same image is made once."""

    def __init__(self, most: int = MOST, side: int = SIDE) -> None:
        self._most, self._side, self._made = most, side, dict[str, str]()

    def of(self, image: Mapping[str, Any] | None) -> tuple[str, str]:
        """(data URI, words) of a struct{bytes, path}: words say why there is no picture."""
        if not image:
            return "", ""
        data, path = image.get("bytes"), image.get("path") or "image"
        if not data:
            return "", f"[{path}]"
        key = hashlib.blake2b(data, digest_size=16).hexdigest()
        if key in self._made:
            return self._made[key], "" if self._made[key] else f"[{path}: not readable]"
        if len(self._made) >= self._most:
            return "", f"[{path}]"
        self._made[key] = _shrunk(data, self._side)
        return self._made[key], "" if self._made[key] else f"[{path}: not readable]"


def _shrunk(data: bytes, side: int) -> str:
    """A JPEG data URI of at most `side` pixels; empty when the bytes are no image that opens."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
    except Exception:  # decoders raise what they like: OSError, SyntaxError, struct.error, …
        return ""
    upright.thumbnail((side, side))
    flat = Image.new("RGB", upright.size, "white")
    flat.paste(upright, mask=upright.getchannel("A"))
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
