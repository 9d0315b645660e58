"""Requests carried out on a diffusion pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from ..core.errors import CallRefused
from ..core.paid import Reply, Request
from .imaging import decoded, encoded
from .painter import Nag, painted, picture_in, unpainted
from .painter_guidance import mixed_guidance
from .painter_nag import nag_attention
from .painter_views import Views, begun, default, parameters

if TYPE_CHECKING:
    from .painter_diffusers import DiffusersSpec


@final
@dataclass(frozen=True)
class Painted:
    """A picture as the pipeline gave it, whether its safety checker withheld it, and how it was painted."""

    picture: Any
    flagged: bool
    told: Mapping[str, Any]

    def reply(self) -> Reply:
        """The reply; writing the PNG takes a tenth of a second a megapixel, so not on the painter's thread."""
        settings = dict(self.told) | {"width": self.picture.width, "height": self.picture.height}
        if self.flagged:
            return unpainted("refusal", "withheld by the pipeline's safety checker", settings)
        picture = self.picture.convert("RGB")
        if all(low == high for low, high in picture.getextrema()):
            return unpainted("blank", "a single colour: numbers overflowed, or the picture was withheld", settings)
        return painted(encoded(picture, b""), settings)


@final
class Canvas:
    """One pipeline, painting what is asked in whichever of its views takes it."""

    def __init__(self, spec: DiffusersSpec, pipe: Any) -> None:
        self.spec, self.pipe = spec, pipe
        self._views = Views(pipe)

    def refuse(self, request: Request) -> None:
        """Raise CallRefused for what the pipeline cannot do, or what would silently be without effect."""
        if "negative_prompt" in request:
            self._refuse_negative(request)
        self._views.refuse(request, adapted=self.spec.ip_adapter is not None)
        if "nag" in request and self.spec.mix:
            raise CallRefused("nag and mix are two ways to guide", hint="leave one of them out")

    def _refuse_negative(self, request: Request) -> None:
        kind, takes = type(self.pipe).__name__, parameters(self.pipe)
        if "negative_prompt" not in takes:
            raise CallRefused(f"{kind} takes no negative prompt", hint="leave it out")
        if "true_cfg_scale" in takes:
            if (self.spec.true_guidance or 1) <= 1:
                cause = f"a negative prompt has no effect on {kind} without true_guidance"
                raise CallRefused(cause, hint="set the painter's true_guidance above 1")
            return
        guidance = self.spec.guidance if request.get("guidance") is None else request["guidance"]
        if guidance is not None and guidance <= 1:
            raise CallRefused("a negative prompt has no effect at guidance 1", hint="raise guidance, or use nag")

    def paint(self, requests: Sequence[Request]) -> list[Painted]:
        """One picture a request, in one pass of the pipeline; those of several differ in prompts and seed only."""
        import torch

        request = requests[0]
        pipe = self._views.of(request)
        settings = self._settings(request, pipe)
        begin = begun(request, settings)
        takes = parameters(pipe)
        given: dict[str, Any] = {name: value for name, value in (settings | begin).items() if name in takes}
        given["prompt"] = [one["prompt"] for one in requests]
        given["generator"] = [torch.Generator("cpu").manual_seed(int(one["seed"])) for one in requests]
        if "negative_prompt" in request:
            given["negative_prompt"] = [one["negative_prompt"] for one in requests]
        given |= self._referring(picture_in(request, "reference"))
        with torch.inference_mode(), self._guided(request, pipe, settings, len(requests)):
            out = pipe(**given)
        if getattr(out, "images", None) is None:
            raise CallRefused(f"{type(pipe).__name__} gives no pictures", hint="name a pipeline that paints")
        flags = getattr(out, "nsfw_content_detected", None) or [False] * len(requests)
        told = self._told(request, pipe, settings)
        return [
            Painted(picture, bool(flag), told | _cut(pipe, one["prompt"]))
            for one, picture, flag in zip(requests, out.images, flags, strict=True)
        ]

    def _settings(self, request: Request, pipe: Any) -> dict[str, Any]:
        """Settings in the pipeline's own names: the request's, else the painter's; what neither says is left out."""
        spec = self.spec
        wanted = {
            "num_inference_steps": request.get("steps") or spec.steps,
            "guidance_scale": spec.guidance if request.get("guidance") is None else request["guidance"],
            "true_cfg_scale": spec.true_guidance,
            "width": request.get("width") or spec.width,
            "height": request.get("height") or spec.height,
            "strength": request.get("strength"),
        }
        takes = parameters(pipe)
        if wanted["width"] and wanted["height"]:  # pipelines that edit read width and height as proportions only
            wanted["max_area"] = wanted["width"] * wanted["height"]
        sizes = ("width", "height")
        return {name: value for name, value in wanted.items() if value is not None and name in (*takes, *sizes)}

    def _referring(self, reference: bytes | None) -> dict[str, Any]:
        if self.spec.ip_adapter is None:
            return {} if reference is None else {"image": decoded(reference)}
        # Without a reference the adapter still wants a picture; at weight 0 it adds nothing.
        self.pipe.set_ip_adapter_scale(self.spec.ip_scale if reference is not None else 0.0)
        return {"ip_adapter_image": _blank() if reference is None else decoded(reference)}

    def _guided(
        self, request: Request, pipe: Any, settings: Mapping[str, Any], count: int
    ) -> AbstractContextManager[None]:
        if "nag" in request:
            return nag_attention(pipe, Nag(**request["nag"]), count)
        guidance = float(settings.get("guidance_scale", default(pipe, "guidance_scale") or 1.0))
        return mixed_guidance(pipe, *self.spec.mix, guidance) if self.spec.mix else nullcontext()

    def _told(self, request: Request, pipe: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What was used, defaults of the pipeline included, for the record."""
        names = {"num_inference_steps": "steps", "guidance_scale": "guidance", "true_cfg_scale": "true_guidance"}
        known = {name: settings.get(name, default(pipe, name)) for name in (*names, "strength")}
        told = {names.get(name, name): value for name, value in known.items() if value is not None}
        told |= {"pipeline": type(pipe).__name__, "scheduler": type(pipe.scheduler).__name__}
        own: dict[str, Any] = {
            "loras": list(self.spec.loras),
            "mix": self.spec.mix,
            "checkpoint_step": self.spec.checkpoint,
        }
        own["ip_scale"] = self.spec.ip_scale if "reference" in request and self.spec.ip_adapter else None
        asked = {name: request[name] for name in ("negative_prompt", "nag") if name in request}
        return told | {name: value for name, value in own.items() if value not in (None, [])} | asked


def _cut(pipe: Any, prompt: str) -> dict[str, int]:
    """How many tokens of a prompt no text encoder of the pipeline read: they are cut off without a word."""
    read = []
    for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        tokenizer = getattr(pipe, name, None)
        if tokenizer is not None:
            longest = default(pipe, "max_sequence_length") if "T5" in type(tokenizer).__name__ else None
            read.append(len(tokenizer(prompt).input_ids) - min(tokenizer.model_max_length, longest or 1 << 20))
    return {"prompt_tokens_cut": min(read)} if read and min(read) > 0 else {}


def _blank() -> Any:
    from PIL import Image

    return Image.new("RGB", (64, 64), (127, 127, 127))
