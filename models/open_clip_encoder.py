"""Two towers from OpenCLIP: CLIP, SigLIP and their like, from a folder, the Hub, or a known name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError, did_you_mean
from ..core.registry import ModelSpec, model
from .image_passes import DType, ImagePasses, where
from .running import texts_once, unit_rows
from .text_passes import encoded_images
from .weights import files_of

WEIGHTS: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
_FILES: Final = ("*.safetensors", "*.json", "*.txt", "*.model")
_BEYOND: Final = 8  # a text is tokenised to so many times the context, to see whether anything is cut off


@final
class OpenClip:
    """Images and texts to unit vectors of one space; obeys `models.vision.ImageTextEncoder`."""

    persist: ClassVar[bool] = True

    def __init__(self, name: str, passes: ImagePasses, tokenizer: Any, truncate: bool) -> None:
        self.name, self._passes, self._tokenizer, self._truncate = name, passes, tokenizer, truncate
        self.scale = float(passes.network.logit_scale.detach().exp())
        self._context = int(tokenizer.context_length)
        self.dim = passes.run(self._read, tokenizer([""]).to(passes.device)).shape[1]

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim] of encoded images. Raises RowError naming a bad one."""
        return encoded_images(images, self.dim, self._passes, self._seen)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]; NaN for a text longer than the model reads. Raises RowError."""
        distinct, index = texts_once(texts)
        rows = np.full((len(distinct), self.dim), np.nan, np.float32)
        whole = range(len(distinct)) if self._truncate else [k for k, text in enumerate(distinct) if self._fits(text)]
        for group in self._passes.groups(list(whole)):
            tokens = self._tokenizer([distinct[k] for k in group], context_length=self._context)
            rows[group] = unit_rows(self._passes.run(self._read, tokens.to(self._passes.device)))
        return np.take(rows, index, axis=0)

    def _fits(self, text: str) -> bool:
        """True when a longer context would change nothing: the same beginning, then padding alone."""
        short, whole = (self._tokenizer([text], context_length=k * self._context)[0] for k in (1, _BEYOND))
        beyond = whole[self._context :]
        return bool((short == whole[: self._context]).all() and (beyond == beyond[-1]).all())

    def _seen(self, pixels: Any) -> Any:
        return self._passes.network.encode_image(pixels)

    def _read(self, tokens: Any) -> Any:
        return self._passes.network.encode_text(tokens)


@final
@model("open_clip")
class OpenClipSpec(ModelSpec):
    """OpenCLIP: CLIP, SigLIP and their like; images and texts in one space."""

    kind: ClassVar[str] = "image_text_encoder"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "open_clip", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "ViT-B-32"
    """A folder (also `local-dir:PATH`), a name on the Hub (also `hf-hub:NAME`), or a model OpenCLIP knows."""
    pretrained: str = "laion2b_s34b_b79k"
    """Which weights of a model OpenCLIP knows; means nothing for a folder or a name on the Hub."""
    truncate: bool = False
    """Cut a text that is too long instead of giving it no vector."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = float32."""
    group: Annotated[int | None, Field(ge=1)] = None
    """Images that run together; null = 8 on a CPU, 64 on an accelerator. Every group has this size."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name.removeprefix("local-dir:"))

    def load(self) -> OpenClip:
        """The encoder with its weights read from a safetensors file; InputError when there is none."""
        import open_clip

        folder = folder_of(self.name, self.pretrained)
        weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
        weights = weights or next(iter(sorted(folder.glob("*.safetensors"))), None)
        if weights is None:
            cause = f"{folder} holds no weights in a safetensors file"
            raise InputError(cause, hint=f"convert them to {WEIGHTS[0]}; pickled weights are not read")
        try:
            network, prepare, tokenizer = _made(open_clip, folder, weights, where(self.device), self.dtype)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            cause = f"{self.name} does not load: {error}".splitlines()[0]
            raise InputError(
                cause, hint="the folder must hold open_clip_config.json and the weights it tells of"
            ) from error
        name = self.name if Path(self.name).exists() or "/" in self.name else f"{self.name} {self.pretrained}"
        return OpenClip(name, ImagePasses(network, prepare, self.group), tokenizer, self.truncate)


def folder_of(name: str, pretrained: str) -> Path:
    """The folder of a model's files, fetched from the Hub where it is not a folder already."""
    import open_clip

    if name.startswith("local-dir:") or Path(name).is_dir():
        folder = Path(name.removeprefix("local-dir:"))
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}", hint="name a folder that holds open_clip_config.json")
        return folder
    hub = name.removeprefix("hf-hub:")
    if hub == name and "/" not in name:
        known = open_clip.list_pretrained()
        if (name, pretrained) not in known:
            tags = [tag for found, tag in known if found == name]
            hint = f"its weights: {', '.join(tags)}" if tags else did_you_mean(name, {found for found, _ in known})
            raise InputError(f"OpenCLIP knows no {name} with the weights {pretrained}", hint=hint)
        hub = open_clip.get_pretrained_cfg(name, pretrained).get("hf_hub", "").strip("/")
    return _fetched(hub, name)


def _fetched(hub: str, name: str) -> Path:
    from huggingface_hub import snapshot_download

    if hub.count("/") != 1:
        raise InputError(f"the weights of {name} are not on the Hub in a safe form", hint="name a folder instead")
    try:
        return Path(snapshot_download(hub, allow_patterns=list(_FILES)))
    except (OSError, ValueError) as error:
        cause = f"{hub} cannot be fetched from the Hub: {error}".splitlines()[0]
        raise InputError(cause, hint="name a folder that holds it, or go online") from error


def _made(library: Any, folder: Path, weights: Path, device: str, dtype: DType) -> tuple[Any, Any, Any]:
    import torch

    name = f"local-dir:{folder}"
    logging.disable(logging.WARNING)  # the library warns of random weights: they are read right after
    try:
        network, _, prepare = library.create_model_and_transforms(
            name, load_weights=False, pretrained_text=False, pretrained_image=False
        )
    finally:
        logging.disable(logging.NOTSET)
    library.load_checkpoint(network, str(weights), strict=True, weights_only=True, device="cpu")
    kind = torch.float32 if dtype == "auto" else getattr(torch, dtype)
    return network.to(device, kind).eval(), prepare, library.get_tokenizer(name)
