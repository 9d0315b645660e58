"""The conditions of a painting made worse: its reference picture and its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from ..core.stage import Dropped
from ..models.imaging import decoded, encoded
from .making import Writer
from .pixel_ops import OPS

VisualMode = Literal["blur", "noise", "semantic", "none"]
TextMode = Literal["generic", "hallucinated", "none"]


@final
@dataclass(frozen=True)
class Conditions:
    """What a painter is shown: a prompt and a reference picture."""

    prompt: str
    reference: bytes


def shrunk(reference: bytes, side: int | None) -> bytes:
    """The reference with a short side of at most `side` pixels; its very bytes where it is no larger.

    Raises RowError when it is no picture.
    """
    from PIL import Image

    if side is None:
        return reference
    picture = decoded(reference)
    scale = side / min(picture.size)
    if scale >= 1:
        return reference
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    return encoded(picture.resize(size, Image.Resampling.LANCZOS), reference)


def worse_picture(mode: VisualMode, reference: bytes, strength: float, seed: int, swaps: Sequence[bytes]) -> bytes:
    """The reference degraded; `semantic` takes the first of `swaps` that is another picture.

    Raises Dropped where there is none, RowError when the reference is no picture.
    """
    if mode == "none":
        return reference
    if mode == "semantic":
        other = next((image for image in swaps if image != reference), None)
        if other is None:
            raise Dropped("no other image to swap the reference with")
        return other
    # PNG, so that the painter sees the degradation stated and no compression besides.
    return encoded(OPS[mode].apply(decoded(reference), strength, seed), b"")


async def hallucinated(writer: Writer, prompt: str, item: str, seed: int) -> str:
    """A short description of the item with wrong details. Raises Dropped for an unsound reply."""
    said: str = await writer.says("describe", {"prompt": prompt, "item": item}, seed=seed)
    return " ".join(said.split())
