"""Image encoders with patches: DINO and the vision tower of CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import ModelSpec, model
from .image_passes import DType, ImagePasses, preparation, pretrained
from .running import each_once, unit_rows
from .text_passes import encoded_images
from .weights import files_of


@final
class VisionTower:
    """Images to the class token's vector and to one a patch; obeys `models.vision.PatchEncoder`."""

    persist: ClassVar[bool] = True

    def __init__(self, name: str, passes: ImagePasses, dim: int, width: int, before: int, featured: bool) -> None:
        self.name, self.dim, self.width = name, dim, width
        self._passes, self._before = passes, before
        self._states = passes.network.get_image_features if featured else passes.network
        self._featured = featured

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim] of encoded images. Raises RowError naming a bad one."""
        return encoded_images(images, self.dim, self._passes, self._whole)

    def patches(self, images: Sequence[bytes]) -> list[np.ndarray]:
        """Unit vectors float32 [p, d] an image, row by row from the top left. Raises RowError naming a bad one."""
        return [patches for _, patches in self.in_parts(images)]

    def in_parts(self, images: Sequence[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `encode` and `patches` give, from one pass. Raises RowError naming a bad image."""
        distinct, index = each_once(images, bytes)
        found = [self._split(one) for group in self._passes.images(distinct, self._both) for one in group]
        return [found[k] for k in index]

    def _split(self, both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return unit_rows(both[None, : self.dim])[0], unit_rows(both[self.dim :].reshape(-1, self.width))

    def _whole(self, pixels: Any) -> Any:
        return self._pooled(self._states(pixel_values=pixels))

    def _both(self, pixels: Any) -> Any:
        import torch

        states = self._states(pixel_values=pixels)
        return torch.cat([self._pooled(states), states.last_hidden_state[:, self._before :].flatten(1)], dim=1)

    def _pooled(self, states: Any) -> Any:
        return states.pooler_output if self._featured else states.last_hidden_state[:, 0]


@final
@model("dino")
class DinoSpec(ModelSpec):
    """DINO, DINOv2 or DINOv3: what is seen, by its class token and its patches."""

    kind: ClassVar[str] = "patch_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "facebook/dinov2-base"
    """A folder, or a name on the Hub; weights in safetensors. Published DINO scores use facebook/dino-vits16."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> VisionTower:
        """The encoder with its weights read; InputError when there are none."""
        import transformers

        network = pretrained(transformers.AutoModel, self.name, self.device, self.dtype)
        if not hasattr(network.config, "patch_size"):
            cause = f"{self.name} is a {type(network).__name__}, which has no patches"
            raise InputError(cause, hint="it takes DINO, DINOv2, DINOv3 and other plain vision transformers")
        before = 1 + int(getattr(network.config, "num_register_tokens", 0) or 0)
        passes = ImagePasses(network, preparation(self.name), self.group)
        width = int(network.config.hidden_size)
        return VisionTower(self.name, passes, width, width, before, False)


@final
@model("clip_vision")
class ClipVisionSpec(ModelSpec):
    """The vision tower of a CLIP or SigLIP from transformers: its image vector, and its patches before projection."""

    kind: ClassVar[str] = "patch_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "openai/clip-vit-base-patch32"
    """A folder, or a name on the Hub; weights in safetensors."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> VisionTower:
        """The encoder with its weights read; InputError when there are none."""
        import torch
        import transformers

        network = pretrained(transformers.AutoModel, self.name, self.device, self.dtype)
        shape: Any = getattr(network.config, "vision_config", None)
        if not hasattr(network, "get_image_features") or not hasattr(shape, "patch_size"):
            cause = f"{self.name} is a {type(network).__name__}, which has no vision tower with patches"
            raise InputError(cause, hint="it takes CLIP and SigLIP")
        passes = ImagePasses(network, preparation(self.name), self.group)
        side = int(shape.image_size)
        blank = torch.zeros(1, 3, side, side, device=passes.device, dtype=passes.dtype)
        tokens = passes.run(lambda pixels: network.get_image_features(pixel_values=pixels).last_hidden_state, blank)
        dim = passes.run(lambda pixels: network.get_image_features(pixel_values=pixels).pooler_output, blank).shape[1]
        before = tokens.shape[1] - (side // int(shape.patch_size)) ** 2
        return VisionTower(self.name, passes, dim, tokens.shape[2], before, True)
