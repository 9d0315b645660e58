"""Fakes of models that see: vectors from coarse pixels and hashed words, no weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .fakes import FakeTextEncoder
from .imaging import decoded
from .running import each_once, unit_rows

SIDE: Final = 8
PATCH: Final = 2


@final
@dataclass(frozen=True)
class FakeVision:
    """A picture is its 8 × 8 thumbnail, a patch 2 × 2 of it, a text the sum of its words' hashes."""

    name: ClassVar[str] = "fake_vision"
    dim: ClassVar[int] = SIDE * SIDE * 3
    persist: ClassVar[bool] = True
    scale: ClassVar[float] = 100.0

    most: int = 77
    """Longest text, in words."""

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, 192]. Raises RowError naming bytes that are no image."""
        return unit_rows(_thumbnails(images).reshape(-1, self.dim))

    def patches(self, images: Sequence[bytes]) -> list[np.ndarray]:
        """Unit vectors float32 [16, 12] an image, row by row. Raises RowError naming bytes that are no image."""
        sides = SIDE // PATCH
        blocks = _thumbnails(images).reshape(-1, sides, PATCH, sides, PATCH, 3).swapaxes(2, 3)
        return [unit_rows(block.reshape(sides * sides, -1)) for block in blocks]

    def in_parts(self, images: Sequence[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `encode` and `patches` give. Raises RowError naming bytes that are no image."""
        return list(zip(self.encode(images), self.patches(images), strict=True))

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, 192]; NaN for a text of more than `most` words. Raises RowError."""
        rows = FakeTextEncoder(self.dim).encode(texts)
        rows[[len(text.split()) > self.most for text in texts]] = np.nan
        return rows

    def match(self, texts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Probabilities float64 [n] by the cosine; NaN for a text that is too long. Raises RowError."""
        cosines = (self.encode_text(texts).astype(np.float64) * self.encode(images)).sum(axis=1)
        return np.asarray((1 + cosines) / 2)


@final
@dataclass(frozen=True)
class FakeStyle:
    """Mean and spread of each colour: how a picture is made, not what it shows."""

    name: ClassVar[str] = "fake_style"
    dim: ClassVar[int] = 6
    persist: ClassVar[bool] = False
    styled: ClassVar[bool] = True

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, 6]. Raises RowError naming bytes that are no image."""
        colours = _thumbnails(images).reshape(-1, SIDE * SIDE, 3)
        return unit_rows(np.concatenate([colours.mean(axis=1), colours.std(axis=1)], axis=1))


@final
class FakeImageReward:
    """A number in [0, 1) by the hash of a prompt, plus how bright the picture is, in [0, 1]."""

    name: ClassVar[str] = "fake_image_reward"

    def score(self, prompts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Scores float64 [n] in [0, 2). Raises RowError naming bytes that are no image."""
        chances = np.array([_chance(prompt) for prompt in prompts], np.float64)
        return chances + FakeImageRating().score(prompts, images)


@final
class FakeImageRating:
    """How bright a picture is, in [0, 1], whatever the prompt."""

    name: ClassVar[str] = "fake_image_rating"

    def score(self, prompts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Scores float64 [n] in [0, 1]. Raises RowError naming bytes that are no image."""
        return np.asarray((_thumbnails(images).astype(np.float64).mean(axis=(1, 2, 3)) + 127.5) / 255)


@final
@model("fake_image_text")
class FakeImageTextSpec(ModelSpec):
    """A fake image-text matcher: thumbnails and hashed words, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "image_text_matcher"

    most: Annotated[int, Field(ge=1)] = 77
    """Longest text, in words."""

    def load(self) -> FakeVision:
        """The fake."""
        return FakeVision(self.most)


@final
@model("fake_patches")
class FakePatchesSpec(ModelSpec):
    """A fake patch encoder: thumbnails and parts of them, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "patch_encoder"

    def load(self) -> FakeVision:
        """The fake."""
        return FakeVision()


@final
@model("fake_style")
class FakeStyleSpec(ModelSpec):
    """A fake style encoder: colours, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "style_encoder"

    def load(self) -> FakeStyle:
        """The fake."""
        return FakeStyle()


@final
@model("fake_image_reward")
class FakeImageRewardSpec(ModelSpec):
    """A fake reward of images: brightness and a hash of the prompt; for tests and dry runs only."""

    kind: ClassVar[str] = "image_reward"

    def load(self) -> FakeImageReward:
        """The fake."""
        return FakeImageReward()


@final
@model("fake_image_rating")
class FakeImageRatingSpec(ModelSpec):
    """A fake rating of images: their brightness; for tests and dry runs only."""

    kind: ClassVar[str] = "image_rating"

    def load(self) -> FakeImageRating:
        """The fake."""
        return FakeImageRating()


def _thumbnails(images: Sequence[bytes]) -> np.ndarray:
    """Pixels float32 [n, 8, 8, 3] in ±127.5, never 0, so that a vector always has a length."""
    from PIL import Image

    distinct, index = each_once(images, bytes)
    first = np.unique(index, return_index=True)[1]
    rows = np.empty((len(distinct), SIDE, SIDE, 3), np.float32)
    for k, image in enumerate(distinct):
        small = decoded(image, int(first[k])).resize((SIDE, SIDE), Image.Resampling.BOX)
        rows[k] = np.asarray(small, np.float32) - 127.5
    return np.take(rows, index, axis=0)


def _chance(text: str) -> float:
    hashed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:4], "little") / 2**32
