"""Painters run in this process: any text-to-image pipeline of diffusers, with adapters, by folder or hub id."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, ClassVar, Final, Literal, final

from pydantic import Field

from ..core.errors import CallError, CallRefused, RowError
from ..core.paid import Reply, Request
from ..core.registry import ModelSpec, model
from .painter_loading import fingerprint, opened
from .painter_pipeline import Canvas, Painted

_GATHER: Final = 0.01
_OWN: Final = ("prompt", "negative_prompt", "seed")
"""Fields in which requests painted together may differ."""
Side = Annotated[int, Field(ge=8, le=8192)]
Waiting = asyncio.Future[Painted]


@final
@model("diffusers")
class DiffusersSpec(ModelSpec):
    """A diffusion pipeline run here: Stable Diffusion, XL, 3, Flux and others that diffusers knows.

    Weights are read from safetensors only. The noise of a picture is drawn on the CPU from the
    request's seed, so the same request gives the same pixels on the same device and versions.
    """

    kind: ClassVar[str] = "painter"
    paid: ClassVar[bool] = True
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "diffusers", "transformers")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device", "batch", "offload", "vae_slicing", "vae_tiling"})

    path: Annotated[str, Field(min_length=1)]
    """A folder with model_index.json, or a name on the Hub."""
    variant: str | None = None
    """Which files of the weights, such as fp16."""
    loras: tuple[str, ...] = ()
    """LoRA weights to put on: safetensors files, or names on the Hub."""
    lora_scales: tuple[float, ...] = ()
    """Weight of each LoRA; empty = 1 each."""
    ip_adapter: str | None = None
    """An IP-Adapter, which makes a reference picture count: its safetensors file in a folder or hub repository."""
    ip_encoder: str | None = None
    """Folder of the adapter's image encoder within that repository, for Flux and Stable Diffusion 3 a folder or
    a name on the Hub; null = image_encoder beside the file."""
    ip_scale: Annotated[float, Field(ge=0, le=2)] = 0.6
    """Weight of the reference picture in its attention."""
    scheduler: str | None = None
    """A scheduler by its name in diffusers, such as DDIMScheduler; null = the pipeline's own."""
    steps: Annotated[int | None, Field(ge=1, le=1000)] = None
    """Denoising steps; null = the pipeline's default."""
    guidance: Annotated[float | None, Field(ge=0)] = None
    """Scale of guidance (1 = off; distilled pipelines such as Flux: the embedded scale); null = the default."""
    true_guidance: Annotated[float | None, Field(ge=1)] = None
    """Classifier-free scale of distilled pipelines, which a negative prompt needs there."""
    mix: tuple[float, float] | None = None
    """Weights (text, subject) of mixed guidance: the base model's prediction and that of the LoRAs apart."""
    width: Side | None = None
    """Pixels; null = the pipeline's default."""
    height: Side | None = None
    """Pixels; null = the pipeline's default."""
    checkpoint: Annotated[int | None, Field(ge=0)] = None
    """Training step the weights are of, for the record: early ones follow the prompt, late ones the subject."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights; auto = float32 on a CPU, else bfloat16, or float16 where that is not known."""
    offload: Literal["none", "model", "sequential"] = "none"
    """Keep parts on the CPU until they are needed: less GPU memory, more time."""
    vae_slicing: bool = False
    """Decode pictures of a batch one by one."""
    vae_tiling: bool = False
    """Decode large pictures in tiles."""
    batch: Annotated[int, Field(ge=1, le=256)] = 1
    """Most pictures painted together. With 1 a picture's pixels do not depend on its company; with more
    they may in the last bits. A request with a picture in it is always painted alone."""

    def identity(self) -> dict[str, Any]:
        """The options, and what tells local weights apart."""
        files = [self.path, *self.loras, *([self.ip_adapter] if self.ip_adapter else [])]
        return super().identity() | {"name": self.path, "weights": [fingerprint(file) for file in files]}

    def load(self) -> DiffusersPainter:
        """The painter, with its weights read."""
        return DiffusersPainter(self, Canvas(self, opened(self)))


@final
class DiffusersPainter:
    """Paints on one thread; requests that agree in all but prompt and seed share a batch."""

    requests_per_minute: ClassVar[int | None] = None
    tokens_per_minute: ClassVar[int | None] = None
    tries: ClassVar[int] = 1

    def __init__(self, spec: DiffusersSpec, canvas: Canvas) -> None:
        self.concurrency = 2 * spec.batch
        self._batch, self._canvas = spec.batch, canvas
        self._waiting: list[tuple[Request, Waiting]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="painter")
        self._painting: asyncio.Task[None] | None = None

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`; CallRefused for what the pipeline cannot do."""
        self._canvas.refuse(request)
        future: Waiting = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._painting is None or self._painting.done():
            self._painting = asyncio.get_running_loop().create_task(self._paint())
        return await asyncio.to_thread((await future).reply)

    async def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    async def _paint(self) -> None:
        if self._batch > 1:  # time for others to join
            await asyncio.sleep(_GATHER)
        while self._waiting:
            self._waiting = [pair for pair in self._waiting if not pair[1].done()]  # nobody awaits the others
            if not self._waiting:
                return
            group = _company(self._waiting, self._batch)
            self._waiting = [pair for pair in self._waiting if pair not in group]
            requests = [request for request, _ in group]
            try:
                paintings = await asyncio.get_running_loop().run_in_executor(self._thread, self._canvas.paint, requests)
            except Exception as error:
                failure = error if isinstance(error, CallError) else _failure(error)
                for _, future in group:
                    if not future.done():
                        future.set_exception(failure)
                continue
            for (_, future), painting in zip(group, paintings, strict=True):
                if not future.done():
                    future.set_result(painting)


def _company(waiting: Sequence[tuple[Request, Waiting]], most: int) -> list[tuple[Request, Waiting]]:
    """The first request and those that may be painted with it."""
    first = waiting[0][0]
    if "image" in first or "reference" in first:
        return [waiting[0]]
    alike = _alike(first)
    return [pair for pair in waiting if _alike(pair[0]) == alike][:most]


def _alike(request: Request) -> Mapping[str, Any]:
    shared = {name: value for name, value in request.items() if name not in _OWN}
    return shared | {"negative": "negative_prompt" in request}


def _failure(error: Exception) -> CallError:
    cause = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, (ValueError, TypeError, RowError)):
        return CallRefused(cause, hint="the pipeline does not take this request")
    return CallError(cause)
