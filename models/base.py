"""What an encoder is: the protocols that stages count on, and nothing that runs.

Both promise three things. *Alone or in company*: a row's vector is the same bit for bit whatever
else is in the call, in whatever order. *In order*: row i belongs to input i. *Comparable*: rows
have length 1, so that a dot product is a cosine in [-1, 1], higher = more alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Encoder(Protocol):
    """Common ground of all encoders."""

    @property
    def name(self) -> str:
        """Which encoder this is, as it stands in the metadata of the columns it fills."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def persist(self) -> bool:
        """True when reading a stored vector is cheaper than making it again."""


class TextEncoder(Encoder, Protocol):
    """Texts to vectors. Likeness of topic, never a measure of which answer is better."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]; a text without tokens gets a row of zeros.

        Raises RowError, naming the index, for an entry that is not a valid string.
        """


class ImageEncoder(Encoder, Protocol):
    """Encoded images (JPEG, PNG, WebP, …) to vectors. Likeness of what is seen."""

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim].

        Raises RowError, naming the index, for bytes that are not an image.
        """
