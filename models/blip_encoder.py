"""BLIP as an image-text matcher: a cosine of two towers (ITC), or both looked at together (ITM)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .image_passes import DType, ImagePasses, ahead, preparation, pretrained, tokenizer_of
from .text_passes import Reading, encoded_images, encoded_texts
from .weights import files_of


@final
class Blip:
    """Images and texts to unit vectors, and to a probability of a match; obeys `models.vision.ImageTextMatcher`."""

    persist: ClassVar[bool] = True
    scale: ClassVar[float] = 1.0
    """The weights come without the temperature of their training."""

    def __init__(self, name: str, passes: ImagePasses, reading: Reading) -> None:
        self.name, self._passes, self._reading = name, passes, reading
        self.dim = int(passes.network.vision_proj.out_features)
        self.width = int(passes.network.itm_head.in_features)

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim] of encoded images. Raises RowError naming a bad one."""
        return encoded_images(images, self.dim, self._passes, self._seen)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]; NaN for a text longer than the model reads. Raises RowError."""
        return encoded_texts(texts, self.dim, self._passes, self._reading, self._read)

    def match(self, texts: Sequence[str], images: Sequence[bytes]) -> np.ndarray:
        """Probabilities float64 [n] in [0, 1] that text i tells of image i; NaN for a text that is too long.

        Each distinct pair once. Raises RowError naming a bad image.
        """
        logits = self.together(texts, images, self._passes.network.itm_head, 2)
        return np.asarray(0.5 * (1 + np.tanh((logits[:, 1] - logits[:, 0]) / 2)))

    def together(self, texts: Sequence[str], images: Sequence[bytes], head: Callable[[Any], Any], k: int) -> np.ndarray:
        """What `head` makes of the first state [group, width] of a text that looks at its image: float64 [n, k]."""
        pairs: dict[tuple[str, bytes], int] = {}
        index = np.array([pairs.setdefault(pair, len(pairs)) for pair in zip(texts, images, strict=True)], np.int64)
        first = np.unique(index, return_index=True)[1]
        once, found = list(pairs), np.full((len(pairs), k), np.nan)
        ids = self._reading.ids([text for text, _ in once])
        widths = self._reading.widths(ids).items()
        groups = [(width, group) for width, members in widths for group in self._passes.groups(members)]
        seen = ahead(lambda entry: [self._passes.pixels(once[k][1], int(first[k])) for k in entry[1]], groups)
        for (width, group), pixels in zip(groups, seen, strict=True):
            feed = self._reading.feed([ids[k] for k in group], width, self._passes.device)
            found[group] = self._passes.run(lambda *both: head(self._looking(*both)), feed, self._on(pixels))
        return np.take(found, index, axis=0)

    def _on(self, pixels: Sequence[Any]) -> Any:
        import torch

        return torch.stack(list(pixels)).to(self._passes.device, self._passes.dtype)

    def _looking(self, feed: Mapping[str, Any], pixels: Any) -> Any:
        import torch

        network = self._passes.network
        states = network.vision_model(pixel_values=pixels).last_hidden_state
        there = torch.ones(states.shape[:-1], dtype=torch.long, device=states.device)
        both = network.text_encoder(
            input_ids=feed["input_ids"],
            attention_mask=feed["attention_mask"],
            encoder_hidden_states=states,
            encoder_attention_mask=there,
        )
        return both.last_hidden_state[:, 0]

    def _seen(self, pixels: Any) -> Any:
        network = self._passes.network
        return network.vision_proj(network.vision_model(pixel_values=pixels).last_hidden_state[:, 0])

    def _read(self, feed: Mapping[str, Any]) -> Any:
        network = self._passes.network
        states = network.text_encoder(input_ids=feed["input_ids"], attention_mask=feed["attention_mask"])
        return network.text_proj(states.last_hidden_state[:, 0])


@final
@model("blip")
class BlipSpec(ModelSpec):
    """BLIP for image-text retrieval: the model behind what ClassDiffusion calls BLIP2-T."""

    kind: ClassVar[str] = "image_text_matcher"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "Salesforce/blip-itm-large-coco"
    """A folder, or a name on the Hub; weights in safetensors."""
    max_tokens: Annotated[int, Field(ge=3, le=512)] = 128
    """Longest text in tokens, two marks included; never more than the model has positions."""
    truncate: bool = False
    """Cut a text that is too long instead of giving it no number."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> Blip:
        """The model with its weights read; InputError when there are none."""
        import transformers

        network = pretrained(transformers.BlipForImageTextRetrieval, self.name, self.device, self.dtype)
        positions = int(network.config.text_config.max_position_embeddings)
        reading = Reading(tokenizer_of(self.name), min(self.max_tokens, positions), False, self.truncate)
        return Blip(self.name, ImagePasses(network, preparation(self.name), self.group), reading)
