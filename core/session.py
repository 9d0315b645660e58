"""One run at work: folder, journal, meter, models, threads, and what stages are handed."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from .journal import Journal
from .loaded_models import LoadedModels, StageModels
from .meter import Budget, Meter, Spend
from .paid import PaidModel
from .plan import Plan
from .store import RunFolder

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
        self.models = LoadedModels(self)
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

    @cached_property
    def models(self) -> Mapping[str, Any]:
        """Loaded models by nickname; what they are paid is entered under the stage."""
        return StageModels(self.session.models, self.name)

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
