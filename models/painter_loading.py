"""A diffusion pipeline read from safetensors, with its adapters, on its device."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..core.errors import InputError, did_you_mean
from ..core.hashing import digest

if TYPE_CHECKING:
    from .painter_diffusers import DiffusersSpec

_SAMPLED: Final = 1 << 16
_WEIGHTS: Final = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


def fingerprint(path: str) -> str:
    """Changes when local weights do: names and sizes, small files whole, ends of large ones; "" for a hub id."""
    place = Path(path)
    files = [place] if place.is_file() else sorted(f for f in place.rglob("*") if f.is_file())
    return digest(*(part for file in files for part in _parts(file, place))) if files else ""


def opened(spec: DiffusersSpec) -> Any:
    """The pipeline with its adapters on its device. Raises InputError when it does not load."""
    import torch
    from diffusers import DiffusionPipeline
    from safetensors import SafetensorError

    _quiet()
    device = _device(spec.device)
    if spec.offload != "none" and device == "cpu":
        raise InputError("offload moves weights off a GPU, and the device is the CPU", hint="set offload: none")
    kind = spec.dtype if spec.dtype != "auto" else _dtype(device)
    try:
        load: Any = DiffusionPipeline.from_pretrained
        pipe = load(spec.path, dtype=getattr(torch, kind), use_safetensors=True, variant=spec.variant)
        _schedule(pipe, spec.scheduler)
        _adapt(pipe, spec)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        cause = f"the pipeline {spec.path} does not load: {error}".splitlines()[0]
        hint = "name a folder with model_index.json and safetensors weights, or such a repository on the Hub"
        raise InputError(cause, hint=hint) from error
    pipe.set_progress_bar_config(disable=True)
    _save_memory(pipe, vae_slicing=spec.vae_slicing, vae_tiling=spec.vae_tiling)
    return _placed(pipe, device, spec.offload)


def _quiet() -> None:
    """No progress bars of libraries: a run has its own."""
    from diffusers.utils import logging as of_pipelines
    from transformers.utils import logging as of_weights

    for library in (of_pipelines, of_weights):
        silence: Any = library.disable_progress_bar
        silence()


def _parts(file: Path, root: Path) -> tuple[str, bytes]:
    size = file.stat().st_size
    name = f"{file.relative_to(root)}\0{size}"
    with file.open("rb") as stream:
        if size <= 2 * _SAMPLED or file.suffix not in _WEIGHTS:
            return name, stream.read()
        head = stream.read(_SAMPLED)
        stream.seek(-_SAMPLED, os.SEEK_END)
        return name, head + stream.read()


def _device(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype(device: str) -> str:
    import torch

    if device == "cpu":
        return "float32"
    return "bfloat16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "float16"


def _schedule(pipe: Any, name: str | None) -> None:
    import diffusers

    if name is None:
        return
    known = [found for found in dir(diffusers) if found.endswith("Scheduler")]
    if name not in known:
        raise InputError(f"diffusers has no scheduler {name}", hint=did_you_mean(name, known))
    pipe.scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)


def _adapt(pipe: Any, spec: DiffusersSpec) -> None:
    """Put LoRAs and the IP-Adapter on."""
    names = [f"lora{i}" for i in range(len(spec.loras))]
    for name, lora in zip(names, spec.loras, strict=True):
        place: dict[str, Any] = {"pretrained_model_name_or_path_or_dict": lora}
        if lora.endswith(_WEIGHTS):
            repository, subfolder, file = located(lora)
            place = {"pretrained_model_name_or_path_or_dict": repository, "subfolder": subfolder, "weight_name": file}
        pipe.load_lora_weights(**place, adapter_name=name, use_safetensors=True)
    if names:
        scales = list(spec.lora_scales) or [1.0] * len(names)
        if len(scales) != len(names):
            raise InputError(f"{len(scales)} lora_scales for {len(names)} loras", hint="give one a LoRA, or none")
        pipe.set_adapters(names, scales)
    if spec.ip_adapter:
        repository, subfolder, file = located(spec.ip_adapter)
        encoder = _image_encoder(pipe, spec, repository, subfolder)
        pipe.load_ip_adapter(repository, subfolder=subfolder or "", weight_name=file, **encoder)


def _image_encoder(pipe: Any, spec: DiffusersSpec, repository: str, subfolder: str | None) -> dict[str, Any]:
    """Where the adapter's image encoder is, in the words of the pipeline; most look beside the file."""
    takes = inspect.signature(pipe.load_ip_adapter).parameters
    named, of_flux = {base.__name__ for base in type(pipe).__mro__}, "image_encoder_pretrained_model_name_or_path"
    if of_flux not in takes and "SD3IPAdapterMixin" not in named:
        return {"image_encoder_folder": spec.ip_encoder} if spec.ip_encoder else {}
    beside = Path(repository, subfolder or "", "image_encoder")
    place = spec.ip_encoder or (str(beside) if beside.is_dir() else "")
    if not place:
        cause = f"{type(pipe).__name__} needs the image encoder of {spec.ip_adapter} named"
        raise InputError(cause, hint="set ip_encoder to a folder or a name on the Hub, such as a CLIP or SigLIP")
    if of_flux in takes:
        return {of_flux: place, "image_encoder_dtype": pipe.dtype}
    # Stable Diffusion 3 takes a name with a slash for a path or a Hub id of its own, not for a part of the repository.
    return {"image_encoder_folder": str(Path(place).absolute()) if Path(place).is_dir() else place}


def located(path: str) -> tuple[str, str | None, str]:
    """(folder or hub repository, folder within it, file) of weights given as FOLDER/NAME or OWNER/REPOSITORY/…/NAME.

    Raises InputError for a file that is no safetensors file, or is nowhere.
    """
    folder, _, file = path.rpartition("/")
    if not file.endswith(".safetensors"):
        raise InputError(f"{path} is no safetensors file", hint="pickled weights are not read; convert them")
    if Path(folder).is_dir():
        return str(Path(folder).parent), Path(folder).name or None, file
    owner, _, rest = folder.partition("/")
    name, _, within = rest.partition("/")
    if not name:
        raise InputError(f"no weights {path}", hint="give a file, or OWNER/REPOSITORY/FILE of the Hub")
    return f"{owner}/{name}", within or None, file


def _save_memory(pipe: Any, *, vae_slicing: bool, vae_tiling: bool) -> None:
    for option, wanted in (("vae_slicing", vae_slicing), ("vae_tiling", vae_tiling)):
        turn_on: Any = getattr(getattr(pipe, "vae", None), option.replace("vae", "enable"), None)
        if wanted and turn_on is None:
            raise InputError(f"{type(pipe).__name__} has nothing that {option} could turn on", hint="leave it out")
        if wanted:
            turn_on()


def _placed(pipe: Any, device: str, offload: str) -> Any:
    if offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)
    return pipe
