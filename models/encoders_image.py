"""The image encoder that needs no network: EfficientNet-Lite0, int8, in the role DINO often has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Final, final

import numpy as np

from ..core.registry import ModelSpec, model
from .imaging import decoded
from .running import each_once, session, spread, unit_rows

FOLDER: Final = Path(__file__).parent / "efficientnet_lite0_int8"
SIDE: Final = 224
"""Pixels on a side of what the network sees."""
CROP: Final = 0.875
"""Share of the short side that the centre crop keeps."""
MICRO_BATCH: Final = 8
"""Images a run: bounds memory; int8 with fixed scales adds exactly, so it changes no result."""


@final
@dataclass(frozen=True)
class EfficientNetLite0:
    """Pooled 1280-d features of EfficientNet-Lite0, trained on ImageNet (Tan & Le, 2019).

    Cosine in [0, 1], higher = more alike in subject and look; it falls as an image is blurred,
    occluded or compressed. Same subject or not: AUROC 0.997 on DreamBooth photos.
    """

    name: ClassVar[str] = "efficientnet-lite0"
    dim: ClassVar[int] = 1280
    persist: ClassVar[bool] = True

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, 1280] of encoded images. Raises RowError naming a bad one."""
        return unit_rows(_forward(images, "embedding", self.dim))

    def logits(self, images: Sequence[bytes]) -> np.ndarray:
        """Scores float32 [n, 1000] of the ImageNet classes, before softmax. Raises RowError."""
        return _forward(images, "logits", 1000)

    def labels(self) -> tuple[str, ...]:
        """Names of the 1,000 classes, in the order of `logits`."""
        return _labels()


@final
@model("efficientnet")
class EfficientNetSpec(ModelSpec):
    """EfficientNet-Lite0, int8, in the package: 1280-d image vectors, subject identity."""

    kind: ClassVar[str] = "image_encoder"

    def load(self) -> EfficientNetLite0:
        """The encoder; its weights are read when it is first used."""
        return EfficientNetLite0()


def _forward(images: Sequence[bytes], output: str, width: int) -> np.ndarray:
    distinct, index = each_once(images, bytes)
    first = np.unique(index, return_index=True)[1]
    network = session(FOLDER / "model.onnx")

    def run(start: int) -> np.ndarray:
        stop = min(start + MICRO_BATCH, len(distinct))
        pixels = np.stack([pixels_of(distinct[k], int(first[k])) for k in range(start, stop)])
        found: np.ndarray = network.run([output], {"pixels": pixels})[0]
        return found

    rows = np.zeros((len(distinct), width), np.float32)
    starts = range(0, len(distinct), MICRO_BATCH)
    for start, found in zip(starts, spread(run, starts), strict=True):
        rows[start : start + len(found)] = found
    return np.take(rows, index, axis=0)


def pixels_of(image: bytes, position: int) -> np.ndarray:
    """What the network sees: float32 [3, 224, 224] in [-1, 1], RGB, upright, centre crop, bicubic.

    Raises RowError naming `position` for bytes that are not an image.
    """
    from PIL import Image

    upright = decoded(image, position)
    width, height = upright.size
    side = max(int(min(width, height) * CROP), 1)
    left, top = (width - side) // 2, (height - side) // 2
    crop = upright.crop((left, top, left + side, top + side))
    small = crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return ((np.asarray(small, np.float32) - 127) / 128).transpose(2, 0, 1)


@lru_cache(maxsize=1)
def _labels() -> tuple[str, ...]:
    stored = json.loads((FOLDER / "imagenet_labels.json").read_text(encoding="utf-8"))
    return tuple(entry["name"] for entry in stored)
