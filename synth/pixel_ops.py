"""Pictures made worse, by rule: one function a kind, each exact in (picture, strength, seed).

Strengths are stated for a picture whose short side is REFERENCE pixels, as in the paper's radius of
5 at 512², and scaled to the side at hand: the same strength looks the same at every size. Within a
seed a stronger degradation is more of the same one: the same noise, the same place.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

REFERENCE: Final = 512
"""Short side, in pixels, for which strengths are stated."""
_STRIP: Final = 1 << 20
"""Pixels handled at once where numbers wider than a byte are needed."""


@final
@dataclass(frozen=True)
class PixelOp:
    """A kind of degradation: what its strength means, which are usual, and how it is done."""

    apply: Callable[[Image, float, int], Image]
    unit: str
    ladder: tuple[float, ...]
    low: float
    high: float


def side_of(picture: Image) -> int:
    """The short side in pixels, which strengths are scaled by."""
    return min(picture.size)


def blurred(picture: Image, radius: float, seed: int = 0) -> Image:
    """Gaussian blur; `radius` is its standard deviation in pixels at a short side of 512."""
    from PIL import ImageFilter

    return picture.filter(ImageFilter.GaussianBlur(radius * side_of(picture) / REFERENCE))


def noised(picture: Image, sigma: float, seed: int) -> Image:
    """Gaussian noise of deviation `sigma` (full range = 1) a channel, clipped to the range.

    Its grain is a pixel at a short side of 512; on larger pictures the grains grow with the side.
    """
    rows, columns = _grid(picture)
    grain = np.random.default_rng(seed).standard_normal((rows, columns, 3), np.float32) * np.float32(255 * sigma)
    width, height = picture.size
    across = np.arange(width) * columns // width

    def with_grain(pixels: np.ndarray, top: int) -> np.ndarray:
        down = (top + np.arange(len(pixels))) * rows // height
        noise = grain[down[0] : down[-1] + 1] if (rows, columns) == (height, width) else grain[down][:, across]
        pixels += noise
        return pixels

    return _by_strips(picture, with_grain)


def recompressed(picture: Image, loss: float, seed: int = 0) -> Image:
    """What JPEG of quality 100 - `loss` leaves, at a short side of at most 512.

    Larger pictures get the errors of their smaller copy, enlarged, so that blocks keep their size
    relative to the side.
    """
    from PIL import Image

    small = _shrunk(picture, REFERENCE)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=round(100 - loss), subsampling=2)
    lossy = Image.open(out).convert("RGB")
    if small.size == picture.size:
        return lossy
    clean, left = (np.asarray(side.resize(picture.size, Image.Resampling.BILINEAR)) for side in (small, lossy))

    def worse(pixels: np.ndarray, top: int) -> np.ndarray:
        part = slice(top, top + len(pixels))
        pixels += left[part].astype(np.float32) - clean[part]
        return pixels

    return _by_strips(picture, worse)


def downsampled(picture: Image, factor: float, seed: int = 0) -> Image:
    """Shrunk to a short side of 512 / `factor` pixels and enlarged again; a smaller one is left."""
    from PIL import Image

    return _shrunk(picture, REFERENCE / factor).resize(picture.size, Image.Resampling.BICUBIC)


def occluded(picture: Image, share: float, seed: int) -> Image:
    """A grey rectangle of the picture's proportions over `share` of its area, at a place by chance."""
    (left, top), (width, height) = _window(picture, share, seed)
    covered = picture.copy()
    covered.paste((127, 127, 127), (left, top, left + width, top + height))
    return covered


def recoloured(picture: Image, amount: float, seed: int) -> Image:
    """Hue turned by `amount` half circles, and channels brightened or darkened by up to half of it."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    turn = round(127.5 * amount) * (1 if rng.random() < 0.5 else -1)
    gains = 2.0 ** (amount * rng.uniform(-0.5, 0.5, 3))
    hue, saturation, value = picture.convert("HSV").split()
    turned = Image.merge("HSV", (hue.point([(k + turn) % 256 for k in range(256)]), saturation, value))
    curves = [min(round(k * gain), 255) for gain in gains for k in range(256)]
    return turned.convert("RGB").point(curves)


def cropped(picture: Image, lost: float, seed: int) -> Image:
    """A window of 1 - `lost` of the area, at a place by chance, enlarged to the whole."""
    from PIL import Image

    (left, top), (width, height) = _window(picture, 1 - lost, seed)
    window = picture.crop((left, top, left + width, top + height))
    return window.resize(picture.size, Image.Resampling.BICUBIC)


def patch_shuffled(picture: Image, cells: float, seed: int) -> Image:
    """Cut into `cells` by `cells` equal patches, none put back where it was; a remainder stays."""
    count = min(round(cells), side_of(picture))
    pixels = np.array(picture)
    height, width = pixels.shape[0] // count, pixels.shape[1] // count
    inner = pixels[: height * count, : width * count]
    patches = inner.reshape(count, height, count, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)
    order = np.random.default_rng(seed).permutation(len(patches))
    mixed = np.empty_like(patches)
    mixed[order] = patches[np.roll(order, 1)]
    inner[:] = mixed.reshape(count, count, height, width, 3).swapaxes(1, 2).reshape(inner.shape)
    return _picture(pixels)


OPS: Final[Mapping[str, PixelOp]] = {
    "blur": PixelOp(blurred, "radius in pixels at a side of 512", (2.5, 5, 10, 20), 0.1, 256),
    "noise": PixelOp(noised, "deviation, full range = 1", (0.1, 0.2, 0.3, 0.6), 0.001, 4),
    "jpeg": PixelOp(recompressed, "100 - quality", (80, 90, 95, 99), 1, 99),
    "downsample": PixelOp(downsampled, "factor at a side of 512", (4, 8, 16, 32), 1.1, 512),
    "occlude": PixelOp(occluded, "share of the area covered", (0.1, 0.25, 0.5, 0.75), 0.001, 1),
    "color": PixelOp(recoloured, "half circles of hue", (0.25, 0.5, 0.75, 1), 0.01, 1),
    "crop": PixelOp(cropped, "share of the area lost", (0.25, 0.5, 0.75, 0.9), 0.001, 0.999),
    "patch_shuffle": PixelOp(patch_shuffled, "patches on a side", (2, 4, 8, 16), 2, 512),
}
"""Every kind of degradation by name, with its usual strengths from weak to strong."""


def _grid(picture: Image) -> tuple[int, int]:
    """Rows and columns of the picture when its short side is at most REFERENCE."""
    scale = min(REFERENCE / side_of(picture), 1)
    return max(round(picture.height * scale), 1), max(round(picture.width * scale), 1)


def _shrunk(picture: Image, side: float) -> Image:
    from PIL import Image

    scale = side / side_of(picture)
    if scale >= 1:
        return picture
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    return picture.resize(size, Image.Resampling.BOX)


def _window(picture: Image, share: float, seed: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corner and size of a window of `share` of the area; larger ones hold the smaller ones."""
    u, v = np.random.default_rng(seed).random(2)
    scale = math.sqrt(share)
    width, height = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    return (round(u * (picture.width - width)), round(v * (picture.height - height))), (width, height)


def _by_strips(picture: Image, change: Callable[[np.ndarray, int], np.ndarray]) -> Image:
    """`change` of the pixels as float32 [rows, width, 3], a strip at a time, rounded and clipped."""
    pixels = np.array(picture)
    step = max(_STRIP // picture.width, 1)
    for top in range(0, len(pixels), step):
        strip = change(pixels[top : top + step].astype(np.float32), top)
        np.clip(np.rint(strip, out=strip), 0, 255, out=strip)
        pixels[top : top + step] = strip.astype(np.uint8)
    return _picture(pixels)


def _picture(pixels: np.ndarray) -> Image:
    from PIL import Image

    return Image.fromarray(pixels)
