"""Models that tell an image in words: the protocol, and BLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Protocol, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .image_passes import DType, ImagePasses, preparation, pretrained, tokenizer_of
from .running import each_once
from .weights import files_of


class Captioner(Protocol):
    """Images to a sentence each. The same alone and in company; kind `captioner`."""

    @property
    def name(self) -> str:
        """Which model this is."""

    def caption(self, images: Sequence[bytes]) -> list[str]:
        """A caption an image, possibly empty. Raises RowError naming the index of bytes that are no image."""


@final
class BlipCaptioner:
    """BLIP's decoder, always the likeliest words; obeys `Captioner`."""

    def __init__(self, name: str, passes: ImagePasses, tokenizer: Any, words: int, beams: int) -> None:
        self.name, self._passes, self._tokenizer = name, passes, tokenizer
        self._tokens, self._beams = words, beams

    def caption(self, images: Sequence[bytes]) -> list[str]:
        """See `Captioner`."""
        distinct, index = each_once(images, bytes)
        ids = [row for group in self._passes.images(distinct, self._written) for row in group]
        texts = [self._tokenizer.decode(row.astype(np.int64), skip_special_tokens=True).strip() for row in ids]
        return [texts[k] for k in index]

    def _written(self, pixels: Any) -> Any:
        import torch

        ids = self._passes.network.generate(
            pixel_values=pixels, max_new_tokens=self._tokens, num_beams=self._beams, do_sample=False
        )
        # to one width, so that a caption does not depend on how long its neighbours are
        width = self._tokens + 2
        padding = self._passes.network.config.text_config.pad_token_id
        return torch.nn.functional.pad(ids, (0, max(0, width - ids.shape[1])), value=padding)[:, :width]


@final
@model("blip_caption")
class BlipCaptionSpec(ModelSpec):
    """BLIP for captions, as FOCUS uses it to read pictures back."""

    kind: ClassVar[str] = "captioner"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "Salesforce/blip-image-captioning-large"
    """A folder, or a name on the Hub; weights in safetensors."""
    max_tokens: Annotated[int, Field(ge=1, le=256)] = 40
    """Longest caption, in tokens."""
    beams: Annotated[int, Field(ge=1, le=16)] = 1
    """Beams of the search; 1 = the likeliest word each time."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> BlipCaptioner:
        """The model with its weights read; InputError when there are none."""
        import transformers

        network = pretrained(transformers.BlipForConditionalGeneration, self.name, self.device, self.dtype)
        passes = ImagePasses(network, preparation(self.name), self.group)
        return BlipCaptioner(self.name, passes, tokenizer_of(self.name), self.max_tokens, self.beams)
