"""A chat model in this process, by transformers: requests that arrive together are generated together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal, final

from pydantic import Field

from ..core.errors import CallError, CallRefused, InputError
from ..core.paid import Reply, Request
from ..core.registry import ModelSpec, model
from .transformers_talk import has_image, logprobs_of, message_of, tokenizer_of, unstopped

_GATHER: Final = 0.01
_SAMPLING: Final = ("temperature", "top_p", "max_tokens", "n", "seed", "logprobs", "stop")


@final
@model("transformers")
class TransformersSpec(ModelSpec):
    """A causal or image-text model run here. No JSON schema is enforced: the reply is what the model says."""

    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device", "batch"})

    name: Annotated[str, Field(min_length=1)]
    """A folder, or a name on the Hub."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 8
    """Most requests generated together."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Most new tokens where the request does not say."""
    images: bool = False
    """Whether the model sees images."""

    def load(self) -> TransformersChat:
        """The backend, with its weights read."""
        return TransformersChat(self).ready()


@final
class TransformersChat:
    """Requests with the same sampling share a batch; each keeps its own seed by being alone when it samples."""

    requests_per_minute: ClassVar[int | None] = None
    tokens_per_minute: ClassVar[int | None] = None
    tries: ClassVar[int] = 1

    def __init__(self, spec: TransformersSpec) -> None:
        self.spec, self.concurrency = spec, 2 * spec.batch
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transformers")
        self._gathering: asyncio.Task[None] | None = None

    def ready(self) -> TransformersChat:
        """The same, with its weights read; InputError when there are none."""
        assert self._loaded
        return self

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`; CallRefused for what this model cannot do."""
        if request.get("logit_bias"):
            raise CallRefused("logit_bias is not known in process")
        if int(request.get("n", 1)) > 1 and not request.get("temperature"):
            raise CallRefused("n > 1 needs a temperature", hint="greedy choices would all be equal")
        if not self.spec.images and has_image(request):
            raise CallRefused("this model sees no images", hint="set images: true for a model that does")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.get_running_loop().create_task(self._generate())
        return await future

    async def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    async def _generate(self) -> None:
        await asyncio.sleep(_GATHER)
        while self._waiting:
            first = _sampling(self._waiting[0][0])
            alike = [pair for pair in self._waiting if _sampling(pair[0]) == first]
            # Chance belongs to the request: what is sampled is generated alone, from its own seed.
            group = alike[: 1 if first.get("temperature") else self.spec.batch]
            self._waiting = [pair for pair in self._waiting if pair not in group]
            loop = asyncio.get_running_loop()
            try:
                replies = await loop.run_in_executor(self._thread, self.replies, [request for request, _ in group])
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(CallError(f"{type(error).__name__}: {error}".splitlines()[0]))
                continue
            for (_, future), reply in zip(group, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        """Replies to requests with the same sampling, generated in one batch."""
        import torch

        model, processor = self._loaded
        request, n = requests[0], int(requests[0].get("n", 1))
        inputs = self._inputs(requests, processor).to(model.device)
        temperature = float(request.get("temperature") or 0.0)
        chance: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if temperature > 0:
            torch.manual_seed(int(request.get("seed") or 0))
            top_p = float(request.get("top_p") or 1.0)
            chance = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
        stop = request.get("stop")
        with torch.inference_mode():
            out = model.generate(
                **inputs, **chance, num_return_sequences=n, return_dict_in_generate=True,
                max_new_tokens=int(request.get("max_tokens") or self.spec.max_tokens),
                output_logits=request.get("logprobs") is not None, pad_token_id=tokenizer_of(processor).pad_token_id,
                **({"stop_strings": stop, "tokenizer": tokenizer_of(processor)} if stop else {}),
            )  # fmt: skip
        start = inputs["input_ids"].shape[1]
        lengths = inputs["attention_mask"].sum(1).tolist()
        return [
            self._reply(requests[i], out, range(i * n, i * n + n), start, int(lengths[i])) for i in range(len(requests))
        ]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

        family = AutoModelForImageTextToText if self.spec.images else AutoModelForCausalLM
        device = self.spec.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            model: Any = family.from_pretrained(self.spec.name, dtype=self.spec.dtype)
            processor = (AutoProcessor if self.spec.images else AutoTokenizer).from_pretrained(self.spec.name)
        except (OSError, ValueError) as error:
            cause = f"the model {self.spec.name} does not load: {error}".splitlines()[0]
            raise InputError(cause, hint="name a folder or a model on the Hub") from error
        tokenizer = tokenizer_of(processor)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return model.to(device).eval(), processor

    def _inputs(self, requests: Sequence[Request], processor: Any) -> Any:
        talks = [[message_of(message) for message in request["messages"]] for request in requests]
        if not self.spec.images:
            talks = [[{**m, "content": "".join(p["text"] for p in m["content"])} for m in talk] for talk in talks]
        return processor.apply_chat_template(
            talks, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", padding=True
        )

    def _reply(self, request: Request, out: Any, rows: range, start: int, tokens_in: int) -> Reply:
        model, processor = self._loaded
        tokenizer, texts, finishes, logprobs, count = tokenizer_of(processor), [], [], [], 0
        ends = model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends]) | {tokenizer.eos_token_id}
        limit = int(request.get("max_tokens") or self.spec.max_tokens)
        for row in rows:
            ids = out.sequences[row, start:].tolist()
            end = next((i for i, token in enumerate(ids) if token in ends), len(ids))
            count += min(end + 1, len(ids))
            said = tokenizer.decode(ids[:end], skip_special_tokens=True)
            texts.append(unstopped(said, request.get("stop")))
            ended = end < len(ids) or len(ids) < limit or texts[-1] != said
            finishes.append("stop" if ended else "length")
            if request.get("logprobs") is not None:
                logprobs.append(logprobs_of(tokenizer, out.logits, row, ids[:end], int(request["logprobs"])))
        data: dict[str, Any] = {"texts": texts, "finishes": finishes} | ({"logprobs": logprobs} if logprobs else {})
        return Reply(texts[0], finishes[0], tokens_in, count, 0.0, data)


def _sampling(request: Request) -> dict[str, Any]:
    return {name: request[name] for name in _SAMPLING if request.get(name) is not None}
