"""One run at work: folder, journal, meter, models, threads, and what stages are handed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from .errors import InputError, RatherError
from .journal import Journal
from .meter import Budget, Meter, Spend
from .paid import Backend, PaidModel, throttle_for
from .plan import Plan
from .registry import ModelSpec
from .store import RunFolder
from .throttle import Throttle
from .vectors import KeptEncoder

if TYPE_CHECKING:
    from .stage import Stage
    from .view import RunView

ASKERS: Final = 12
"""Batches that may wait for paid calls at once: each waits for its slowest call."""


@final
@dataclass(frozen=True)
class RunOptions:
    """How to run a plan; none of these changes a row, except `limit` and `shard`."""

    out: Path
    limit: int | None = None
    shard: tuple[int, int] | None = None
    batch: int | None = None
    workers: int = 2
    fresh: bool = False
    budget: Budget = field(default_factory=Budget)
    journal: Path | None = None

    @property
    def journal_path(self) -> Path:
        """Where paid calls are kept: beside the runs, so that it serves them all."""
        return self.journal or self.out.parent / "journal.sqlite"


class Listener(Protocol):
    """Is told how a run goes; called from the engine's thread, never concurrently."""

    def stage_reused(self, name: str, rows: int) -> None:
        """A finished stage is used as it is."""

    def stage_begun(self, name: str, rows: int | None) -> None:
        """A stage begins; `rows` are expected when known."""

    def rows_done(self, name: str, rows_in: int, rows_out: int) -> None:
        """So many rows have gone through a stage by now."""

    def stage_done(self, name: str, rows_in: int, rows_out: int, dropped: int, failed: int, seconds: float) -> None:
        """A stage is finished and kept."""

    def spent(self, spend: Spend) -> None:
        """Calls, tokens and money by now."""


@final
class Session:
    """What is open while a plan runs. Use `async with`."""

    def __init__(self, plan: Plan, options: RunOptions, folder: RunFolder, listener: Listener) -> None:
        self.plan, self.options, self.folder, self.listener = plan, options, folder, listener
        self.models = Models(self)
        self.stopping = False
        self._pool = ThreadPoolExecutor(options.workers + 2, thread_name_prefix="rather")
        self._askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="rather-asks")

    async def __aenter__(self) -> Session:
        self.journal = Journal(self.options.journal_path)
        self.run_name = str(self.options.out.resolve())
        calls, tokens, usd = self.journal.spent(self.run_name)
        self.meter = Meter(self.options.budget, Spend(calls, 0, tokens, usd))
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.stopping = True
        paid = [model for model in self.models.loaded() if isinstance(model, PaidModel)]
        for model in paid:
            model.stop()
        for pool in (self._pool, self._askers):
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        for model in paid:
            await model.close()
        await asyncio.to_thread(self.journal.close)

    def offload(self, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Run blocking work on a thread of the session."""
        return self.loop.run_in_executor(self._pool, work, *args)

    def offload_asking(self, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Run work that mostly waits for paid calls: on threads of its own, or it would hold up the others."""
        return self.loop.run_in_executor(self._askers, work, *args)

    def asks(self, stage: Stage) -> bool:
        """Whether a stage names a paid model."""
        return any(self.plan.models[name].paid for name in stage.models_named() if name in self.plan.models)

    def context(self, name: str, view: RunView) -> StageContext:
        """What the stage called `name` is handed."""
        return StageContext(self, name, view)


@final
@dataclass(frozen=True)
class StageContext:
    """The `Context` of one stage."""

    session: Session
    name: str
    view: RunView

    @property
    def models(self) -> Mapping[str, Any]:
        """Loaded models by nickname."""
        return self.session.models

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return self.session.plan.recipe.seed

    @property
    def out(self) -> str:
        """The run folder."""
        return str(self.session.folder.path)

    def rng(self, row_id: str) -> random.Random:
        """A generator that depends on (seed, stage, row) alone."""
        text = f"{self.seed}\0{self.name}\0{row_id}".encode()
        return random.Random(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little"))

    def stop_asked(self) -> bool:
        """True once the run is being interrupted."""
        return self.session.stopping


@final
class Models(Mapping[str, Any]):
    """Models by nickname, loaded when first asked for; paid ones wrapped."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loaded: dict[str, Any] = {}
        self._doors: dict[tuple[Any, ...], Throttle] = {}
        self._encoders: dict[str, KeptEncoder] = {}
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._session.plan.models)

    def __iter__(self) -> Iterator[str]:
        return iter(self._session.plan.models)

    def loaded(self) -> list[Any]:
        """Those that have been asked for."""
        return list(self._loaded.values())

    def __getitem__(self, nickname: str) -> Any:
        with self._turn:  # batches of several threads ask at once for a model that takes long to load
            if nickname not in self._loaded:
                spec = self._session.plan.models[nickname]
                self._loaded[nickname] = self._wrapped(spec, self._load(nickname, spec))
            return self._loaded[nickname]

    @staticmethod
    def _load(nickname: str, spec: ModelSpec) -> Any:
        try:
            return spec.load()
        except RatherError:
            raise
        except Exception as error:
            cause = f"the model {nickname} ({spec.use}) does not load: {type(error).__name__}: {error}"
            raise InputError(cause.splitlines()[0], hint="see: rather doctor") from error

    def _throttle(self, backend: Backend) -> Throttle:
        """Nicknames of one endpoint, asked for alike, are admitted together: it sees their sum."""
        door = getattr(backend, "door", None)
        if door is None:
            return throttle_for(backend)
        key = (door, backend.concurrency, backend.requests_per_minute, backend.tokens_per_minute)
        return self._doors.setdefault(key, throttle_for(backend))

    def _wrapped(self, spec: ModelSpec, loaded: Any) -> Any:
        session = self._session
        if spec.paid:
            if hasattr(loaded, "keep_in"):
                loaded.keep_in(session.options.journal_path.parent / "batches")
            return PaidModel(
                loaded, spec.identity(), session.journal, session.meter, session.run_name, session.loop,
                self._throttle(loaded),
            )  # fmt: skip
        if getattr(loaded, "persist", False):
            return self._kept(loaded, spec.identity())
        if hasattr(loaded, "over"):  # a reward on the vectors of an encoder, which are kept in its stead
            return loaded.over(self._kept(loaded.encoder, loaded.encoder_identity))
        return loaded

    def _kept(self, encoder: Any, identity: Mapping[str, Any]) -> KeptEncoder:
        """One store of vectors for one identity, under however many nicknames it goes."""
        name = json.dumps(identity, sort_keys=True)
        if name not in self._encoders:
            folder = self._session.options.journal_path.parent / "vectors"
            self._encoders[name] = KeptEncoder(encoder, identity, folder)
        return self._encoders[name]
