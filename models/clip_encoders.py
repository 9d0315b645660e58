"""Two towers from transformers: CLIP, SigLIP and ALIGN as published, by name on the Hub or as a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import ModelSpec, model
from .image_passes import DType, ImagePasses, preparation, pretrained, tokenizer_of
from .text_passes import Reading, encoded_images, encoded_texts
from .weights import files_of


@final
class TwoTowers:
    """Images and texts to unit vectors of one space; obeys `models.vision.ImageTextEncoder`."""

    persist: ClassVar[bool] = True

    def __init__(self, name: str, passes: ImagePasses, reading: Reading, dim: int, scale: float) -> None:
        self.name, self.dim, self.scale = name, dim, scale
        self._passes, self._reading = passes, reading

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim] of encoded images. Raises RowError naming a bad one."""
        return encoded_images(images, self.dim, self._passes, self._seen)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]; NaN for a text longer than the model reads. Raises RowError."""
        return encoded_texts(texts, self.dim, self._passes, self._reading, self._read)

    def _seen(self, pixels: Any) -> Any:
        return _pooled(self._passes.network.get_image_features(pixel_values=pixels))

    def _read(self, feed: Mapping[str, Any]) -> Any:
        return _pooled(self._passes.network.get_text_features(**feed))


@final
@model("clip")
class ClipSpec(ModelSpec):
    """CLIP or SigLIP from transformers: images and texts in one space, by name on the Hub or as a folder."""

    kind: ClassVar[str] = "image_text_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "openai/clip-vit-base-patch32"
    """A folder, or a name on the Hub; weights in safetensors."""
    processor: str | None = None
    """Where the tokenizer and the image processor are, when not beside the weights."""
    truncate: bool = False
    """Cut a text that is too long instead of giving it no vector."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> TwoTowers:
        """The encoder with its weights read; InputError when there are none."""
        return towers(self.name, self.processor or self.name, self.truncate, self.device, self.dtype, self.group, None)


@final
@model("align")
class AlignSpec(ModelSpec):
    """ALIGN, images and texts in one space: the encoder of the λ-harmonic reward (arXiv 2407.12164)."""

    kind: ClassVar[str] = "image_text_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "kakaobrain/align-base"
    """A folder, or a name on the Hub; weights in safetensors."""
    max_tokens: Annotated[int, Field(ge=3)] = 64
    """Longest text in tokens, two marks included; never more than the model has positions."""
    truncate: bool = False
    """Cut a text that is too long instead of giving it no vector."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> TwoTowers:
        """The encoder with its weights read; InputError when there are none."""
        return towers(self.name, self.name, self.truncate, self.device, self.dtype, self.group, self.max_tokens)


def towers(
    name: str, processor: str, truncate: bool, device: str, dtype: DType, group: int | None, most: int | None
) -> TwoTowers:
    """Any model of transformers that has features of images and of texts; `most` tokens a text where given.

    Without `most` the text tower's positions are the length every text is padded to, as in training.
    """
    import transformers

    network = pretrained(transformers.AutoModel, name, device, dtype)
    if not (hasattr(network, "get_image_features") and hasattr(network, "get_text_features")):
        cause = f"{name} is a {type(network).__name__}, which does not read images and texts"
        raise InputError(cause, hint="it takes CLIP, SigLIP, ALIGN and their like")
    positions = int(network.config.text_config.max_position_embeddings)
    reading = Reading(tokenizer_of(processor), min(most or positions, positions), most is None, truncate)
    passes = ImagePasses(network, preparation(processor), group)
    blank = reading.feed(reading.ids([""]), reading.most, passes.device)
    dim = passes.run(lambda feed: _pooled(network.get_text_features(**feed)), blank).shape[1]
    return TwoTowers(name, passes, reading, dim, _scale(network))


def _pooled(found: Any) -> Any:
    return found.pooler_output if hasattr(found, "pooler_output") else found


def _scale(network: Any) -> float:
    if hasattr(network, "logit_scale"):
        return float(network.logit_scale.detach().exp())
    return 1 / float(network.temperature.detach()) if hasattr(network, "temperature") else 1.0
