"""Photos made on the spot, and a folder of them, for tests of what reads, degrades and compares images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 96, height: int = 80) -> Image.Image:
    """Coloured blobs on a gradient with some grain: unlike for every seed, and with detail to lose."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    pixels = np.stack([255 * x, 255 * y, 255 * (1 - x)], -1) * rng.uniform(0.3, 0.7, 3)
    for _ in range(6):
        centre, size, colour = rng.random(2), rng.uniform(0.05, 0.25), rng.uniform(0, 255, 3)
        inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < size**2
        pixels[inside] = colour
    grain = rng.normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def photo(seed: int, kind: str = "JPEG", width: int = 96, height: int = 80) -> bytes:
    """The picture as the bytes of a file."""
    out = io.BytesIO()
    picture(seed, width, height).save(out, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return out.getvalue()


def photo_folder(root: Path, subjects: int = 3, each: int = 2, kind: str = "JPEG") -> Path:
    """A folder of so many subjects with so many photos each."""
    for subject in range(subjects):
        folder = root / f"subject_{subject}"
        folder.mkdir(parents=True)
        for k in range(each):
            (folder / f"{k}.{kind.lower()}").write_bytes(photo(10 * subject + k, kind))
    return root
