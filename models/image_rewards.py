"""How good an image is for a prompt: PickScore and HPS as scaled cosines, aesthetic heads on CLIP vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import ModelSpec, model
from .clip_encoders import ClipSpec
from .image_passes import DType
from .open_clip_encoder import OpenClipSpec
from .vision import ImageTextEncoder
from .weights import files_of

Library = Literal["transformers", "open_clip"]
Layers = tuple[tuple[np.ndarray, np.ndarray], ...]


@final
class ScaledCosine:
    """scale · cos(image, prompt) of a CLIP that was trained on preferences; obeys `models.vision.ImageReward`."""

    def __init__(self, encoder: ImageTextEncoder, encoder_identity: dict[str, Any]) -> None:
        self.encoder, self.encoder_identity, self.name = encoder, encoder_identity, encoder.name

    def over(self, encoder: ImageTextEncoder) -> ScaledCosine:
        """The same reward on another encoder's vectors."""
        return ScaledCosine(encoder, self.encoder_identity)

    def score(self, prompts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Logits float64 [n], higher = preferred; NaN for a prompt that is too long. Raises RowError."""
        read, seen = self.encoder.encode_text(prompts), self.encoder.encode(images)
        return self.encoder.scale * np.asarray((read.astype(np.float64) * seen).sum(axis=1))


@final
class AestheticHead:
    """A small head on an image vector, which knows no prompt; obeys `models.vision.ImageRating`."""

    def __init__(
        self, name: str, encoder: ImageTextEncoder, encoder_identity: dict[str, Any], layers: Layers, rectified: bool
    ) -> None:
        self.name, self.encoder, self.encoder_identity = name, encoder, encoder_identity
        self._layers, self._rectified = layers, rectified

    def over(self, encoder: ImageTextEncoder) -> AestheticHead:
        """The same head on another encoder's vectors."""
        return AestheticHead(self.name, encoder, self.encoder_identity, self._layers, self._rectified)

    def score(self, prompts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Scores float64 [n], higher = more pleasing; `prompts` are ignored. Raises RowError."""
        return np.array([self._one(vector) for vector in self.encoder.encode(images)], np.float64)

    def _one(self, vector: np.ndarray) -> float:
        # One vector a time: the shape of a matrix product decides how its sums are rounded.
        state = vector.astype(np.float64)
        for k, (weight, bias) in enumerate(self._layers):
            state = weight @ state + bias
            if self._rectified and k < len(self._layers) - 1:
                state = np.maximum(state, 0)
        return float(state[0])


@final
@model("pickscore")
class PickScoreSpec(ModelSpec):
    """PickScore: a CLIP of transformers tuned on choices between images; scaled cosine with the prompt."""

    kind: ClassVar[str] = "image_reward"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "yuvalkirstain/PickScore_v1"
    """A folder, or a name on the Hub; weights in safetensors."""
    processor: str | None = None
    """Where the tokenizer and the image processor are, when not beside the weights."""
    truncate: bool = False
    """Cut a prompt that is too long instead of giving it no score."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> ScaledCosine:
        """The reward with its weights read; InputError when there are none."""
        spec = ClipSpec(**self.model_dump())
        return ScaledCosine(spec.load(), spec.identity())


@final
@model("hps")
class HpsSpec(ModelSpec):
    """Human preference score: a CLIP of OpenCLIP tuned on choices between images; scaled cosine with the prompt."""

    kind: ClassVar[str] = "image_reward"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "open_clip", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)]
    """A folder, or a name on the Hub, with open_clip_config.json and weights in safetensors."""
    truncate: bool = False
    """Cut a prompt that is too long instead of giving it no score."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> ScaledCosine:
        """The reward with its weights read; InputError when there are none."""
        spec = OpenClipSpec(**self.model_dump())
        return ScaledCosine(spec.load(), spec.identity())


@final
@model("aesthetic")
class AestheticSpec(ModelSpec):
    """An aesthetic predictor: a linear head or a small perceptron on a CLIP's image vectors."""

    kind: ClassVar[str] = "image_rating"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    head: Annotated[str, Field(min_length=1)]
    """A safetensors file: weights [out, in] and biases [out] of its layers, named in their order."""
    name: Annotated[str, Field(min_length=1)] = "openai/clip-vit-large-patch14"
    """The CLIP the head was trained on: a folder or a name on the Hub."""
    library: Library = "transformers"
    """Which library reads that CLIP."""
    activation: Literal["none", "relu"] = "none"
    """What stands between the layers."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the CLIP's weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name) | {"head_file": files_of(self.head)}

    def load(self) -> AestheticHead:
        """The CLIP and the head; InputError when they are missing or do not fit each other."""
        kind = ClipSpec if self.library == "transformers" else OpenClipSpec
        spec = kind(name=self.name, device=self.device, dtype=self.dtype, group=self.group)
        encoder, layers = spec.load(), layers_in(self.head)
        if layers[0][0].shape[1] != encoder.dim:
            cause = f"{self.head} reads {layers[0][0].shape[1]} numbers, {self.name} gives {encoder.dim}"
            raise InputError(cause, hint="name the CLIP the head was trained on")
        return AestheticHead(Path(self.head).stem, encoder, spec.identity(), layers, self.activation == "relu")


def layers_in(path: str) -> Layers:
    """Weights [out, in] and biases [out], float64, of a chain of linear layers that ends in one number."""
    from safetensors.numpy import load_file

    if not Path(path).is_file():
        raise InputError(f"there is no file {path}", hint="name the safetensors file of the head")
    stored = load_file(path)
    names = sorted((name for name in stored if name.endswith("weight")), key=_natural)
    layers = []
    for name in names:
        weight = np.atleast_2d(stored[name]).astype(np.float64)
        bias = stored.get(f"{name.removesuffix('weight')}bias")
        layers.append((weight, np.zeros(len(weight)) if bias is None else bias.astype(np.float64)))
    chained = all(after.shape[1] == len(before) for (before, _), (after, _) in zip(layers, layers[1:], strict=False))
    if not layers or not chained or len(layers[-1][0]) != 1:
        shapes = ", ".join(f"{name} {list(stored[name].shape)}" for name in names)
        raise InputError(
            f"{path} is no chain of layers that ends in one number", hint=f"it holds {shapes or 'nothing'}"
        )
    return tuple(layers)


def _natural(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))
