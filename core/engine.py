"""Runs a checked plan: reuses what is finished, streams what streams, keeps every stage whole."""

from __future__ import annotations

import asyncio
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Final, final

from . import keys
from .barrier import Outcome, run_fit, run_select
from .committer import Tally
from .errors import RatherError, StageFailed, Unconserved, describe
from .frame import Frame
from .hashing import digest
from .intake import mix
from .interrupts import interruptible
from .plan import Node, Plan
from .segment import Segment
from .session import Listener, RunOptions, Session
from .stage import Fit, Select, Sink
from .store import Record, RunFolder, opened, write_json, write_text
from .view import RunView

STREAMING: Final = ("source", "map", "score", "gate")


def execute(plan: Plan, options: RunOptions, listener: Listener) -> RunView:
    """Run or resume a plan in its folder; the view of the finished run.

    Raises StageFailed, BudgetReached, Unconserved, RunLocked; what is finished by then stays.
    KeyboardInterrupt ends it cleanly.
    """
    folder = RunFolder(options.out)
    with opened(folder):
        if options.fresh:
            folder.clear()
        write_text(folder.path / "recipe.yaml", plan.recipe.dump())
        return asyncio.run(_Engine(plan, options, folder, listener).run())


@final
class _Engine:
    def __init__(self, plan: Plan, options: RunOptions, folder: RunFolder, listener: Listener) -> None:
        self.plan, self.options, self.folder, self.listener = plan, options, folder, listener
        self.keys = keys.stage_keys(plan, options)
        self.view = RunView(folder.path, plan, plan.recipe.dump(), options.limit, options.shard)

    async def run(self) -> RunView:
        began = time.perf_counter()
        async with Session(self.plan, self.options, self.folder, self.listener) as self.session:
            with interruptible(self.session):
                nodes = [node for node in self.plan.nodes if node.skipped is None]
                while nodes:
                    nodes = nodes[await self.advance(nodes) :]
            self.view.seconds = time.perf_counter() - began
            self.view.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        write_json(self.folder.path / "run.json", self.index())
        self.link_ledgers()
        return self.view

    async def advance(self, nodes: list[Node]) -> int:
        """Do the next piece of work; how many nodes it finished."""
        node = nodes[0]
        if self.reuse(node):
            return 1
        if node.stage.shape in STREAMING:
            group = [node]
            for following in nodes[1:]:
                if following.stage.shape not in STREAMING or self.view.inputs_of(following) != (group[-1].index,):
                    break
                group.append(following)
            await self.stream(group)
            return len(group)
        await self.barrier(node)
        return 1

    def reuse(self, node: Node) -> bool:
        """Take a finished stage as it is: same key, same failures above it, none of its own and no call unanswered."""
        key = self.keys[node.index]
        record = self.folder.record(node.name, key)
        if record is None or record.failed or record.unanswered or record.came_from != self.came_from(node):
            return False
        if isinstance(node.stage, Sink) and not _still_there(record):
            return False
        self.enter(node, record, self.folder.home(node.name, key))
        self.view.reused.add(node.index)
        self.listener.stage_reused(node.name, record.rows_out)
        return True

    async def stream(self, group: list[Node]) -> None:
        """Run streaming nodes together and keep each."""
        scratch = [self.folder.scratch(n.name, self.keys[n.index]) for n in group]
        frame = None if group[0].stage.shape == "source" else await self.frame_into(group[0], scratch[0])
        segment = Segment(self.session, group, scratch, frame, self.view)
        failures = await segment.run()
        cut = any(tally.until_reached for tally in segment.tallies)
        rows = {id(m): n for m, n in zip(segment.makers, segment.committer.level_rows, strict=True) if m is not None}
        for node, tally, path, failed in zip(group, segment.tallies, scratch, failures, strict=True):
            record = self.record(node, tally, cut, failed)
            if id(tally) in rows:
                record = replace(record, level_rows=rows[id(tally)])
            self.keep(node, path, record)

    def record(self, node: Node, tally: Tally, cut: bool, failed: str) -> Record:
        came_from, spend = self.came_from(node), self.session.meter.of(node.name)
        return Record(
            stage=node.name, kind=node.stage.name, shape=node.stage.shape, key=self.keys[node.index],
            rows_in=tally.rows_in, made=tally.made, rows_out=tally.rows_out, dropped=tally.dropped,
            failed=tally.failed, unanswered=tally.unanswered, seconds=round(tally.seconds, 4),
            calls=spend.calls, calls_reused=spend.reused, tokens=spend.tokens, usd=spend.usd,
            until_reached=cut, came_from=came_from, outcome=digest(came_from, failed) if failed else came_from,
        )  # fmt: skip

    async def barrier(self, node: Node) -> None:
        """Run a fit, select or sink on all rows before it."""
        scratch = self.folder.scratch(node.name, self.keys[node.index])
        frame = await self.frame_into(node, scratch)
        self.listener.stage_begun(node.name, len(frame))
        began = time.perf_counter()
        outcome, facts = await self.session.offload(self.done, node, frame, scratch)
        came_from, spend = self.came_from(node), self.session.meter.of(node.name)
        record = Record(
            stage=node.name, kind=node.stage.name, shape=node.stage.shape, key=self.keys[node.index],
            rows_in=outcome.rows_in, rows_out=outcome.rows_out, dropped=outcome.dropped,
            seconds=round(time.perf_counter() - began, 4), calls=spend.calls, calls_reused=spend.reused,
            tokens=spend.tokens, usd=spend.usd, came_from=came_from, outcome=came_from, facts=facts,
        )  # fmt: skip
        self.keep(node, scratch, record)

    def done(self, node: Node, frame: Frame, scratch: Path) -> tuple[Outcome, dict[str, object]]:
        context = self.session.context(node.name, self.view)
        if isinstance(node.stage, Fit):
            return run_fit(node, frame, scratch, context), {}
        if isinstance(node.stage, Select):
            return run_select(node, frame, scratch), {}
        assert isinstance(node.stage, Sink)
        try:
            facts = dict(node.stage.sink(frame, context))
        except (RatherError, MemoryError):
            raise
        except Exception as error:
            raise StageFailed(describe(error), place=node.name, hint="use --debug to see where") from error
        return Outcome(len(frame), len(frame), {}), facts

    async def frame_into(self, node: Node, scratch: Path) -> Frame:
        """The node's input; several inputs are mixed first, into the node's own folder."""
        sources = self.view.inputs_of(node)
        if len(sources) == 1:
            return self.view.frame_at(sources[0])
        frames = [self.view.frame_at(index) for index in sources]
        level = await self.session.offload(mix, frames, scratch / "mix")
        return Frame(level, rows=level.rows)

    def keep(self, node: Node, scratch: Path, record: Record) -> None:
        """Check the conservation of rows, put the stage in its place, tell the listener."""
        if record.rows_in + record.made != record.rows_out + record.drops + record.failed:
            gone = f"{record.rows_out} out + {record.drops} dropped + {record.failed} failed"
            cause = f"{record.rows_in} in + {record.made} made != {gone}"
            raise Unconserved(cause, place=node.name)
        home = self.folder.finish(scratch, record)
        self.enter(node, record, home)
        self.listener.stage_done(
            node.name, record.rows_in, record.rows_out, record.drops, record.failed, record.seconds
        )
        self.listener.spent(self.session.meter.total)

    def enter(self, node: Node, record: Record, home: Path) -> None:
        self.view.records[node.index] = record
        self.view.homes[node.index] = home

    def came_from(self, node: Node) -> str:
        """Tells whether rows failed above: empty when none did, so that a mended row is seen below."""
        above = [self.view.records[index].outcome for index in self.view.inputs_of(node)]
        return digest(*above) if any(above) else ""

    def index(self) -> dict[str, object]:
        """What `RunView` needs to open the folder later."""
        homes = {self.plan.nodes[i].name: path.name for i, path in self.view.homes.items()}
        return {
            "homes": homes, "cwd": str(Path.cwd()), "limit": self.options.limit, "shard": self.options.shard,
            "seconds": round(self.view.seconds, 3), "peak_mib": round(self.view.peak_mib, 1),
            "reused": [self.plan.nodes[i].name for i in sorted(self.view.reused)],
        }  # fmt: skip

    def link_ledgers(self) -> None:
        """`dropped/` and `failed/` in the run folder: this run's ledgers, one file a stage."""
        for kind in ("dropped", "failed"):
            shelf = self.folder.path / kind
            shelf.mkdir(exist_ok=True)
            for old in shelf.glob("*.parquet"):
                old.unlink()
            for index, home in sorted(self.view.homes.items()):
                if (home / f"{kind}.parquet").exists():
                    name = self.plan.nodes[index].name.replace("/", "_")
                    (shelf / f"{index:02d}-{name}.parquet").hardlink_to(home / f"{kind}.parquet")


def _still_there(record: Record) -> bool:
    path = record.facts.get("path")
    return path is None or Path(str(path)).exists()
