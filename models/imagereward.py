"""ImageReward: a BLIP whose text looks at the image, and a small head on what it makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import ModelSpec, model
from .blip_encoder import Blip, BlipSpec
from .image_passes import DType
from .image_rewards import Layers, layers_in
from .weights import files_of


@final
class ImageRewardHead:
    """A number from the joint state of prompt and image; obeys `models.vision.ImageReward`."""

    def __init__(self, blip: Blip, layers: Layers, mean: float, deviation: float) -> None:
        self.name, self._blip = blip.name, blip
        self._layers, self._mean, self._deviation = layers, mean, deviation

    def score(self, prompts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Standardised rewards float64 [n], higher = preferred; NaN for a prompt that is too long. Raises RowError."""
        states = self._blip.together(prompts, images, lambda state: state, self._blip.width)
        return np.array([(self._one(state) - self._mean) / self._deviation for state in states], np.float64)

    def _one(self, state: np.ndarray) -> float:
        for weight, bias in self._layers:
            state = weight @ state + bias
        return float(state[0])


@final
@model("imagereward")
class ImageRewardSpec(ModelSpec):
    """ImageReward: BLIP and a small head, trained on rankings of images (arXiv 2304.05977).

    The published file is pickled and is not read: save its BLIP as BlipForImageTextRetrieval of
    transformers and its head as a safetensors file.
    """

    kind: ClassVar[str] = "image_reward"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)]
    """The BLIP: a folder, or a name on the Hub; weights in safetensors."""
    head: Annotated[str, Field(min_length=1)]
    """A safetensors file: weights [out, in] and biases [out] of the head's layers, named in their order."""
    mean: float = 0.16717362830052426
    """What is taken off the head's number."""
    deviation: Annotated[float, Field(gt=0)] = 1.0333394966054072
    """What the rest is divided by."""
    max_tokens: Annotated[int, Field(ge=3, le=512)] = 128
    """Longest prompt in tokens, two marks included; never more than the model has positions."""
    truncate: bool = False
    """Cut a prompt that is too long instead of giving it no score."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name) | {"head_file": files_of(self.head)}

    def load(self) -> ImageRewardHead:
        """The reward with its weights read; InputError when they are missing or do not fit."""
        blip = BlipSpec(**self.model_dump(exclude={"head", "mean", "deviation"})).load()
        layers = layers_in(self.head)
        if layers[0][0].shape[1] != blip.width:
            cause = f"{self.head} reads {layers[0][0].shape[1]} numbers, {self.name} gives {blip.width}"
            raise InputError(cause, hint="name the BLIP the head was trained on")
        return ImageRewardHead(blip, layers, self.mean, self.deviation)
