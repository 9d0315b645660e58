"""The one way from the bytes of a picture to its pixels and back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from ..core.errors import RowError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS: Final = 64_000_000
"""Largest picture that is opened, in pixels: 192 MB as RGB. A larger one is refused unread."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
"""Formats that are opened; the decoders that run other programs (EPS) are not among them."""
QUALITY: Final = 95
"""Quality of a lossy picture written where the original's own tables cannot be taken over."""
_HINT: Final = "give the whole bytes of a JPEG, PNG, WebP, GIF, BMP or TIFF file"


def bytes_of(image: Mapping[str, Any]) -> bytes:
    """The bytes of an image of `core.row.IMAGE`, read from its path where the row does not hold them.

    Raises RowError when there is nothing to read.
    """
    if image.get("bytes") is not None:
        return bytes(image["bytes"])
    try:
        return Path(image.get("path") or "").read_bytes()
    except OSError as error:
        cause = f"the picture {image.get('path')} cannot be read"
        raise RowError(cause, hint="keep its bytes in the row, or correct its path") from error


def decoded(image: bytes, position: int = 0) -> Image:
    """The picture in `image`: mode RGB, upright by its EXIF, first frame, transparency on white.

    16-bit grey keeps its range (65535 becomes 255). Raises RowError, naming input `position`, for
    bytes that are no whole picture, or one of more than MOST_PIXELS.
    """
    if not image:
        raise RowError("no bytes to read a picture from", place=f"input {position}", hint=_HINT)
    try:
        return _opened(image)
    except _TooLarge as error:
        hint = "make it smaller before it is read"
        raise RowError(str(error), place=f"input {position}", hint=hint) from None
    except Exception as error:  # decoders raise what they like: SyntaxError, struct.error, …
        why = "of no known format" if type(error).__name__ == "UnidentifiedImageError" else str(error)
        cause = f"{len(image)} bytes are not a picture that can be read ({why})"
        raise RowError(cause, place=f"input {position}", hint=_HINT) from error


def readable(image: bytes) -> bool:
    """True when `decoded` gives a picture."""
    try:
        decoded(image)
    except RowError:
        return False
    return True


def encoded(image: Image, like: bytes) -> bytes:
    """`image` in the format of the picture `like`, so that compression does not tell them apart.

    JPEG takes over the original's quantisation tables and subsampling, WebP whether it is
    lossless; every other format becomes PNG. No metadata is written.
    """
    kind, settings = _settings(like)
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


@final
class _TooLarge(Exception):
    """A picture of more pixels than are opened."""


def _opened(image: bytes) -> Image:
    from PIL import Image, ImageOps

    try:
        opened = Image.open(io.BytesIO(image), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _TooLarge(f"the picture has far more than {MOST_PIXELS:,} pixels") from error
    with opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise _TooLarge(f"the picture has {width} × {height} pixels, more than {MOST_PIXELS:,}")
        return _rgb(ImageOps.exif_transpose(opened))


def _rgb(picture: Image) -> Image:
    from PIL import Image

    if picture.mode == "RGB" and not picture.has_transparency_data:
        return picture
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        flat = Image.new("RGB", layer.size, "white")
        flat.paste(layer, mask=layer.getchannel("A"))
        return flat
    if picture.mode == "F":
        raise ValueError("pixels are floating-point numbers of no known range")
    if picture.mode.startswith("I"):  # Pillow would clip at 255 instead of scaling
        return picture.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    return picture.convert("RGB")


def _settings(like: bytes) -> tuple[str, dict[str, Any]]:
    from PIL import Image, JpegImagePlugin

    if like[:4] == b"RIFF" and like[8:12] == b"WEBP":
        return "WEBP", {"lossless": b"VP8L" in like[12:64], "quality": QUALITY}
    if not like.startswith(b"\xff\xd8\xff"):
        return "PNG", {}
    with Image.open(io.BytesIO(like), formats=("JPEG",)) as opened:
        tables = getattr(opened, "quantization", None)
        sampling = JpegImagePlugin.get_sampling(opened) if isinstance(opened, JpegImagePlugin.JpegImageFile) else -1
    # A grey JPEG has one table, a CMYK one up to four: only the usual two fit an RGB picture.
    if not tables or len(tables) != 2:
        return "JPEG", {"quality": QUALITY, "subsampling": 0}
    return "JPEG", {"qtables": tables, "subsampling": sampling if sampling >= 0 else 0}
