"""A run of streaming stages: batches flow through all of them at once, and are entered in order."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pyarrow as pa

from .committer import Committer, Tally
from .errors import RatherError, RunError
from .frame import Frame
from .intake import Numbering, known, place_label, places, source_rows, whole_schema
from .parcel import Parcel, Part, Trace
from .plan import Node
from .prefetching import concurrently, prefetched
from .row import CONTENT, SYSTEM
from .session import ASKERS, Session
from .stage import Map, Score, Source, Stage
from .stage_output import set_column
from .steps import Offload, Step
from .view import RunView

COLUMN_BATCH: Final = 32_768
CALL_BATCH: Final = 256
HASHERS: Final = 2
_DONE: Final = object()


@final
@dataclass
class Segment:
    """Streaming nodes in a row, the first perhaps a source; `frame` feeds them otherwise."""

    session: Session
    nodes: list[Node]
    folders: list[Path]
    frame: Frame | None
    view: RunView

    def __post_init__(self) -> None:
        self.tallies = [
            Tally(node.name, node.stage, folder, node.until_rows, self.session.asks(node.stage))
            for node, folder in zip(self.nodes, self.folders, strict=True)
        ]
        first = self.tallies[0] if isinstance(self.nodes[0].stage, Source) else None
        self.makers = [first, *(t for t in self.tallies if isinstance(t.stage, Map))]
        self.keep_content = not isinstance(self.nodes[0].stage, Source) or not self.nodes[0].stage.replayable()
        self.committer = Committer(self.tallies, self.makers, self.keep_content)
        self.steps = [
            Step(n.name, n.stage, self.session.context(n.name, self.view), self._offload(n.stage), later)
            for n, later in zip(self.nodes, self._read_later(), strict=True)
            if not isinstance(n.stage, Source)
        ]

    async def run(self) -> list[str]:
        """Run to the end; gives a digest of the failed rows of each stage."""
        for node in self.nodes:
            self.session.listener.stage_begun(node.name, len(self.frame) if self.frame is not None else None)
        feed = prefetched(self.parcels())
        flying: deque[asyncio.Task[Parcel]] = deque()
        width = self.width()
        taking: asyncio.Future[Any] | None = None
        try:
            enough, more = False, True
            while (more or flying) and not enough:
                while more and len(flying) < width:
                    taking = asyncio.ensure_future(self.session.offload(next, feed, _DONE))
                    parcel = await asyncio.shield(taking)
                    more = parcel is not _DONE
                    if more:
                        flying.append(asyncio.create_task(self.carried(parcel)))
                if flying:
                    enough = await self.session.offload(self.commit, await flying.popleft())
                    self.told()
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
            if taking is not None:  # a thread may still be in the feed: it cannot be closed before
                await asyncio.gather(taking, return_exceptions=True)
            feed.close()
        self.committer.close()
        return await self.session.offload(lambda: [tally.close() for tally in self.tallies])

    def width(self) -> int:
        """Batches under way at once: many where calls are waited for, unless some might be paid for in vain."""
        asking = any(self.session.asks(node.stage) for node in self.nodes)
        if asking and not any(node.until_rows for node in self.nodes):
            return ASKERS
        return max(2, self.session.options.workers) + 1

    def _offload(self, stage: Stage) -> Offload:
        asking = isinstance(stage, Score) and self.session.asks(stage)
        return self.session.offload_asking if asking else self.session.offload

    def _read_later(self) -> list[frozenset[str] | None]:
        """For each node the columns that those after it read; None = all (a map carries them along)."""
        found: list[frozenset[str] | None] = []
        for index in range(len(self.nodes)):
            after = [node.stage for node in self.nodes[index + 1 :]]
            names = {name.rstrip("?") for stage in after for name in stage.columns_read()}
            whole = any(isinstance(stage, Map) for stage in after)
            found.append(None if whole else frozenset(names | {"id", "place"}) if after else frozenset())
        return found

    async def carried(self, parcel: Parcel) -> Parcel:
        """The parcel after every step."""
        for step in self.steps:
            await step.carry(parcel)
        return parcel

    def commit(self, parcel: Parcel) -> bool:
        """Enter a parcel and look at the failures so far."""
        enough = self.committer.commit(parcel)
        for tally in self.tallies:
            tally.check(self.session.plan.recipe.max_failed)
        return enough

    def told(self) -> None:
        for tally in self.tallies:
            self.session.listener.rows_done(tally.name, tally.rows_in, tally.rows_out)
        self.session.listener.spent(self.session.meter.total)

    def parcels(self) -> Iterator[Parcel]:
        """Batches at the entrance of the segment, in source order."""
        size = self.batch_size()
        if self.frame is None:
            yield from self.source_parcels(size)
            return
        needed, empty = self.columns_needed(), True
        for positions, table in self.frame.parcels(needed, size):
            empty = False
            yield Parcel(table, np.arange(len(positions)), [Part(len(positions), positions)])
        if empty:  # one parcel without rows, so that every stage below has its columns
            none = np.empty(0, np.int64)
            yield Parcel(self.frame.table(needed), none, [Part(0, none)])

    def source_parcels(self, size: int) -> Iterator[Parcel]:
        node, options = self.nodes[0], self.session.options
        assert isinstance(node.stage, Source)
        numbering, label = Numbering(), place_label(node.stage.file_names())
        needed = None
        if not self.keep_content:
            schema = whole_schema(node.stage)
            self.committer.know_schema(0, schema)
            needed = self.columns_read(schema)
        # Decoding has a thread, hashing two; numbering alone must see the rows in their order.
        batches = prefetched(source_rows(node.stage, needed, size, options.limit, options.shard))
        try:
            first = next(batches, None)
            if first is None:  # as above
                first = (whole_schema(node.stage).empty_table(), np.empty(0, np.int64))
            hashed = concurrently(lambda item: known(*item, node.name), itertools.chain([first], batches), HASHERS)
            for content, rows, hashes, prompts in hashed:
                system = numbering.system(hashes, prompts, places(label, rows))
                whole = content
                for name in SYSTEM:
                    whole = set_column(whole, name, system[name])
                index = np.arange(content.num_rows)
                trace = Trace(0, 0, index, index)
                yield Parcel(whole, index, [Part(content.num_rows, None, system, content)], [trace])
        except RatherError:
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RunError(f"reading stopped: {cause}", place=node.name, hint="is the file whole?") from error
        finally:
            batches.close()

    def columns_needed(self) -> list[str] | None:
        """Columns the segment's stages read; None = all (a map carries every column along)."""
        if any(isinstance(node.stage, Map) for node in self.nodes):
            return None
        written: set[str] = set()
        needed: dict[str, None] = {}
        for node in self.nodes:
            for name in node.stage.columns_read():
                if name.rstrip("?") not in written:
                    needed[name.rstrip("?")] = None
            written |= {column.name for column in node.stage.columns_written()}
        if self.frame is None:
            return list(needed)
        present = set(self.frame.names)
        return [name for name in dict.fromkeys([*needed, "id", "place"]) if name in present]

    def columns_read(self, schema: pa.Schema) -> list[str] | None:
        """Columns of the source that this pass reads: what makes a row what it is, what is needed, and
        plain numbers, which cost little and which the sample of a large source then has."""
        needed = self.columns_needed()
        content = [name for name in CONTENT if name in schema.names]
        if needed is None or not content:  # the hash of a row without content is that of all its columns
            return None
        numbers = [field.name for field in schema if pa.types.is_primitive(field.type)]
        return [name for name in dict.fromkeys([*content, *needed, *numbers]) if name in schema.names]

    def batch_size(self) -> int:
        """Rows a batch: many for columns, few where models are called; results do not depend on it."""
        chosen = self.session.options.batch or self.session.plan.recipe.batch
        if chosen:
            return chosen
        calls = any(isinstance(node.stage, Map) or node.stage.models_named() for node in self.nodes)
        return CALL_BATCH if calls else COLUMN_BATCH
