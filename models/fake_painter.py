"""The fake painter: every picture follows from the request, at once and without weights."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.journal import canonical
from ..core.paid import Reply, Request
from ..core.registry import ModelSpec, model
from .imaging import decoded, encoded
from .painter import painted, picture_in, unpainted

if TYPE_CHECKING:
    from PIL.Image import Image

Rate = Annotated[float, Field(ge=0, le=1)]
_WORDS: Final = re.compile(r"[^\W_]+")
_PICTURES: Final = ("image", "mask", "reference")


@final
@model("fake_painter")
class FakePainterSpec(ModelSpec):
    """A fake painter: deterministic, free, without weights; for tests, examples and dry runs only.

    Every word of the prompt is a coloured shape, except those of the negative prompt; a reference or
    a picture to begin from shows through, so that what blurs it blurs the painting too. With a mask
    that picture is painted over there alone, but for a brushwork of a few levels everywhere.
    """

    kind: ClassVar[str] = "painter"
    paid: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = frozenset({"delay", "concurrency"})

    name: str = "fake"
    """Told apart from other fakes by this: another name, other colours."""
    side: Annotated[int, Field(ge=8, le=2048)] = 64
    """Width and height in pixels where the request says none."""
    faithful: Rate = 0.7
    """Share of the reference in the painting."""
    checkpoint: Annotated[int | None, Field(ge=0)] = None
    """Training step it pretends to be of, for the record."""
    refused: Rate = 0.0
    """Share of requests that are declined."""
    delay: Annotated[float, Field(ge=0)] = 0.0
    """Seconds a painting takes."""
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 8
    """Most paintings under way."""

    def load(self) -> FakePainter:
        """The fake."""
        return FakePainter(self)


@final
class FakePainter:
    """Paints at once, or after the spec's `delay`."""

    requests_per_minute: ClassVar[int | None] = None
    tokens_per_minute: ClassVar[int | None] = None

    def __init__(self, spec: FakePainterSpec) -> None:
        self.spec, self.concurrency = spec, spec.concurrency

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`."""
        if self.spec.delay:
            await asyncio.sleep(self.spec.delay)
        return await asyncio.to_thread(self.paint, request)

    def paint(self, request: Request) -> Reply:
        """The picture of one request."""
        start = picture_in(request, "image") if "mask" in request else None
        width, height = decoded(start).size if start is not None else (self.spec.side, self.spec.side)
        size = request.get("width") or width, request.get("height") or height
        told = {name: value for name, value in request.items() if name not in ("prompt", "seed", *_PICTURES)}
        told |= {"pipeline": "fake", "width": size[0], "height": size[1]}
        told |= {"checkpoint_step": self.spec.checkpoint} if self.spec.checkpoint is not None else {}
        if _drawn(self.spec.name, "refused", canonical(request))[0] / 256 < self.spec.refused:
            return unpainted("refusal", "declined by the fake painter", told)
        return painted(encoded(self._picture(request, size), b""), told)

    def _picture(self, request: Request, size: tuple[int, int]) -> Image:
        from PIL import Image, ImageDraw

        picture = Image.new("RGB", size, self._colour("ground", str(request["seed"])))
        draw = ImageDraw.Draw(picture)
        for word in self._words(request):
            self._shape(draw, word, int(request["seed"]), size)
        weights = {"image": 1 - float(request.get("strength") or 0.6), "reference": self.spec.faithful}
        for name, weight in weights.items():
            shown = picture_in(request, name)
            if shown is not None:
                picture = Image.blend(picture, decoded(shown).resize(size, Image.Resampling.BICUBIC), weight)
        return self._touched(self._masked(picture, request), request)

    def _masked(self, picture: Image, request: Request) -> Image:
        """The picture to begin from, painted over where the mask is bright."""
        from PIL import Image

        start, mask = picture_in(request, "image"), picture_in(request, "mask")
        if start is None or mask is None:
            return picture
        before, region = (decoded(one).resize(picture.size) for one in (start, mask))
        return Image.composite(picture, before, region.convert("L"))

    def _words(self, request: Request) -> Sequence[str]:
        away = str(request.get("negative_prompt") or (request.get("nag") or {}).get("negative_prompt") or "")
        gone = set(_WORDS.findall(away.lower()))
        return [word for word in _WORDS.findall(str(request["prompt"]).lower()) if word not in gone]

    def _shape(self, draw: Any, word: str, seed: int, size: tuple[int, int]) -> None:
        """A word's shape keeps its colour; its place changes with the seed."""
        own, place = _drawn(self.spec.name, word), _drawn(self.spec.name, word, str(seed))
        width, height = (side * (64 + own[3 + i] // 2) // 512 for i, side in enumerate(size))
        left, top = place[0] * (size[0] - width) // 256, place[1] * (size[1] - height) // 256
        draw_shape = draw.ellipse if own[5] % 2 else draw.rectangle
        draw_shape((left, top, left + width, top + height), fill=tuple(own[:3]))

    def _touched(self, picture: Image, request: Request) -> Image:
        """Brushwork that depends on every setting, a few levels strong: no two requests paint the same picture."""
        from PIL import Image

        pixels = np.asarray(picture, np.int16)
        rest = {name: value for name, value in request.items() if name not in _PICTURES}
        grain = np.frombuffer(_drawn(self.spec.name, canonical(rest), count=pixels.size), np.uint8)
        return Image.fromarray(np.clip(pixels + grain.reshape(pixels.shape) % 7 - 3, 0, 255).astype(np.uint8))

    def _colour(self, *what: str) -> tuple[int, int, int]:
        red, green, blue = _drawn(self.spec.name, *what)[:3]
        return red, green, blue


def _drawn(*what: str, count: int = 8) -> bytes:
    # A hash rather than numpy's generator, whose stream may change between versions.
    return hashlib.shake_256("\0".join(what).encode("utf-8", "surrogatepass")).digest(count)
