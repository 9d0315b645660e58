"""What models of images promise: the protocols that stages count on, and nothing that runs.

Kinds, by what a model spec calls itself: `image_encoder` (models/base.py), `patch_encoder`,
`image_text_encoder`, `image_text_matcher`, `style_encoder`, `image_reward` and `image_rating`. A stage
that wants an `image_encoder` takes any of the first four, one that wants a reward a rating as well. All
promise what models/base.py does: a result is the same alone and in company, results stand in the order
of the inputs, vectors have length 1. Bytes that are no image raise RowError naming their index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .base import ImageEncoder


class PatchEncoder(ImageEncoder, Protocol):
    """Images to one vector each (`encode`: the class token) and to one a patch."""

    def patches(self, images: Sequence[bytes]) -> list[np.ndarray]:
        """Unit vectors float32 [p, d] an image, its patches row by row from the top left."""

    def in_parts(self, images: Sequence[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `encode` and `patches` give, from one pass: ([dim], [p, d]) an image."""


class ImageTextEncoder(ImageEncoder, Protocol):
    """Images and texts to vectors of one space: their dot product is how well they go together."""

    @property
    def scale(self) -> float:
        """What training multiplied cosines by before a softmax (exp of the logit scale)."""

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]; a row of NaN for a text longer than the model reads.

        Raises RowError, naming the index, for an entry that is not a valid string.
        """


class ImageTextMatcher(ImageTextEncoder, Protocol):
    """An image-text encoder that can also look at both at once, which is slower and finer."""

    def match(self, texts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Probabilities float64 [n] in [0, 1] that text i tells of image i; NaN for a text that is too long."""


class StyleEncoder(ImageEncoder, Protocol):
    """Images to vectors that tell how they are made rather than what they show."""

    @property
    def styled(self) -> bool:
        """True when trained for style; False, or no such mark at all, for a stand-in."""


class ImageReward(Protocol):
    """How good an image is for a prompt. Comparable within a prompt, higher = better."""

    @property
    def name(self) -> str:
        """Which model this is."""

    def score(self, prompts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Scores float64 [n] of image i for prompt i, in the model's own unit; NaN for a prompt too long to read."""


class ImageRating(ImageReward, Protocol):
    """A reward that takes no notice of the prompt: how good an image is by itself."""
