"""Image encoders of style: a head trained for it, and the Gram matrix of any vision transformer's patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import ModelSpec, model
from .image_passes import DType, ImagePasses, preparation, pretrained
from .patch_encoders import DinoSpec, VisionTower
from .running import each_once, unit_rows
from .text_passes import encoded_images
from .weights import files_of

AT_ONCE: Final = 64
"""Images whose patches are held at a time: bounds memory, does not change a result."""


@final
class StyleTower:
    """Images to style vectors: the pooled features of a vision tower times a learned matrix."""

    persist: ClassVar[bool] = True
    styled: ClassVar[bool] = True

    def __init__(self, name: str, passes: ImagePasses, head: Any) -> None:
        self.name, self._passes, self._head = name, passes, head
        self.dim = int(head.shape[1])

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim] of encoded images. Raises RowError naming a bad one."""
        return encoded_images(images, self.dim, self._passes, self._styled)

    def _styled(self, pixels: Any) -> Any:
        return self._passes.network(pixel_values=pixels).pooler_output @ self._head


@final
class GramStyle:
    """Images to the Gram matrix of their patches: which features go together, wherever they are.

    A stand-in for a style encoder, not one that was trained for style.
    """

    persist: ClassVar[bool] = False
    styled: ClassVar[bool] = False

    def __init__(self, tower: VisionTower) -> None:
        self._tower, self.name = tower, f"gram of {tower.name}"
        self.dim = tower.width * (tower.width + 1) // 2

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, d(d+1)/2], whose dot product is the matrices' cosine. Raises RowError."""
        distinct, index = each_once(images, bytes)
        upper = np.triu_indices(self._tower.width)
        weight = np.where(upper[0] == upper[1], 1, np.sqrt(2)).astype(np.float32)
        rows = np.empty((len(distinct), self.dim), np.float32)
        for start in range(0, len(distinct), AT_ONCE):
            for k, patches in enumerate(self._tower.patches(distinct[start : start + AT_ONCE]), start):
                rows[k] = (patches.T @ patches)[upper] * weight
        return np.take(unit_rows(rows), index, axis=0)


@final
@model("csd")
class CsdSpec(ModelSpec):
    """Contrastive style descriptors: a CLIP vision tower fine-tuned for style, and its style head."""

    kind: ClassVar[str] = "style_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)]
    """The vision tower: a folder or a name on the Hub that CLIPVisionModel of transformers reads."""
    head: Annotated[str, Field(min_length=1)]
    """A safetensors file with the style head."""
    tensor: str = "last_layer_style"
    """The head's name in that file: [features, dim]."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name) | {"head_file": files_of(self.head)}

    def load(self) -> StyleTower:
        """The encoder with its weights and head read; InputError when they are missing or do not fit."""
        import torch
        import transformers
        from safetensors.numpy import load_file

        network = pretrained(transformers.CLIPVisionModel, self.name, self.device, self.dtype)
        if not Path(self.head).is_file():
            raise InputError(f"there is no file {self.head}", hint="name the safetensors file of the style head")
        stored = load_file(self.head)
        width = int(network.config.hidden_size)
        if self.tensor not in stored or stored[self.tensor].shape[0] != width or stored[self.tensor].ndim != 2:
            told = ", ".join(f"{name} {list(value.shape)}" for name, value in sorted(stored.items()))
            cause = f"{self.head} holds no {self.tensor} [{width}, dim]"
            raise InputError(cause, hint=f"it holds {told or 'nothing'}")
        passes = ImagePasses(network, preparation(self.name), self.group)
        return StyleTower(self.name, passes, torch.tensor(stored[self.tensor]).to(passes.device, passes.dtype))


@final
@model("gram")
class GramSpec(ModelSpec):
    """Gram matrices of the patches of DINO or another vision transformer: a fallback for a style encoder."""

    kind: ClassVar[str] = "style_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "facebook/dinov2-small"
    """A folder, or a name on the Hub; weights in safetensors."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> GramStyle:
        """The encoder with its weights read; InputError when there are none."""
        return GramStyle(DinoSpec(**self.model_dump()).load())
