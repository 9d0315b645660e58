"""`synth.flawed_paths`: solutions that go wrong, where it is known how far they are right."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from .critique_records import labelled
from .injecting import ERRORS, Solution, injected, pieces_of, result_of
from .making import (
    TEMPLATES,
    Writer,
    answer,
    answer_of,
    answered,
    made_by,
    messages_of,
    prompt_of,
    sample_seeds,
    together,
)
from .verifiers import AnyVerifier
from .verifiers_text import Formula

Way = Literal["sample", "continue", "insert"]


@final
@dataclass(frozen=True)
class _Path:
    """A solution that ends wrong: its steps with labels, and what is known of its error."""

    way: Way
    text: str
    steps: Sequence[Row]
    seed: int
    right_steps: int = 0
    error: dict[str, Any] = field(default_factory=dict)


@final
@register("synth.flawed_paths")
class FlawedPaths(Map):
    """Collect solutions that end in a wrong answer, in three ways, each paired with the row's right one.

    `sample`: plain sampling; nothing is known of the error's place. `continue`: the right solution up to a
    step by chance, carried on at a high temperature; what was kept is right. `insert`: a model puts an
    error of a stated kind at a stated step. Equal ones stand once. They are food for critics, who may be
    told the place.
    """

    reads = ("prompt", "chosen", "{reference}?", "images?")
    writes = (
        Column("chosen", "the right solution"),
        Column("rejected", "a solution that ends wrong"),
        Column("verdict", "always prefer"),
        Column("flaw", "how the error came in: sample, continue or insert", pa.string()),
        Column("steps", "the flawed solution's steps: true where known right, false at a known error, else null"),
        Column("right_steps", "how many first steps are known to be right", pa.int32(), "steps"),
        Column("mistake_step", "the step with the error; null where it is not known", pa.int32(), "place from 1"),
        Column("mistake_type", "representation, planning or execution; for inserted errors", pa.string()),
        Column("mistake_description", "what is wrong, in a sentence; for inserted errors", pa.string()),
    )
    paper = "AutoMathCritique, arXiv 2411.16579, its first stage (from memory; counts and temperatures: house)"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who solves, carries on and puts errors in."""
    ways: Annotated[tuple[Way, ...], Field(min_length=1)] = ("sample", "continue", "insert")
    """How errors come in."""
    samples: Annotated[int, Field(ge=1, le=128)] = 2
    """Attempts a way."""
    reference: str = "reference"
    """Column with the right answer; without one, the answer the row's own solution comes to."""
    verifier: AnyVerifier = Formula()
    """How a wrong answer is told."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of `sample`."""
    high_temperature: Annotated[float, Field(ge=0, le=2)] = 1.2
    """Sampling temperature of `continue`."""
    insert_temperature: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sampling temperature of `insert`."""
    prompts: str = "flawed_paths"
    """The template of `continue`: one of the package, or a file."""
    insert_prompts: str = "inject_error"
    """The template of `insert`: one of the package, or a file."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts, self.insert_prompts), *self.verifier.faults()]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, self.insert_prompts)

    def calls_a_row(self) -> float:
        return float(len(self.ways) * self.samples)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        clean = answer_of(row)
        solution = Solution(prompt_of(row), pieces_of(clean), result_of(clean, row.get(self.reference)))
        rng = ctx.rng(row["id"])
        tasks: list[Coroutine[Any, Any, _Path | None]] = []
        for seed in sample_seeds(ctx, self.samples):
            for way in self.ways:
                at = rng.randrange(1, max(len(solution.pieces), 2))
                tasks.append(self._path(way, seed, at, solution, row, ctx, Random(rng.random())))
        found = [path for path in await together(*tasks) if path is not None]
        paths = {path.text: path for path in reversed(found) if path.text.strip() != clean.strip()}
        if not paths:
            raise Dropped("no flawed path", {"attempts": len(tasks)})
        return [self._row(path, row, ctx) for path in reversed(paths.values())]

    async def _path(
        self, way: Way, seed: int, at: int, solution: Solution, row: Row, ctx: Context, rng: Random
    ) -> _Path | None:
        """One attempt; None when it is no sound solution, or a right one."""
        if way == "insert":
            return await self._inserted(seed, rng.randrange(len(solution.pieces)), solution, ctx, rng)
        if way == "continue" and len(solution.pieces) > 1:
            return await self._continued(seed, at, solution, ctx)
        if way == "continue":
            return None
        model = ctx.models[self.writer]
        said = await answered(
            model, messages_of(row), temperature=self.temperature, max_tokens=self.max_tokens, seed=seed
        )
        return await self._wrong(way, said.value, 0, solution, seed) if said.ok else None

    async def _continued(self, seed: int, at: int, solution: Solution, ctx: Context) -> _Path | None:
        writer = Writer(ctx.models[self.writer], self.prompts, self.high_temperature, self.max_tokens)
        kept = "".join(solution.pieces[:at])
        said = await writer.verdict("continue", {"prompt": solution.prompt, "beginning": kept}, seed=seed)
        if not said.ok:
            return None
        rest = said.value.removeprefix(kept.strip()).lstrip()
        space = "" if kept[-1:].isspace() else "\n"
        return await self._wrong("continue", f"{kept}{space}{rest}", at, solution, seed)

    async def _wrong(self, way: Way, text: str, kept: int, solution: Solution, seed: int) -> _Path | None:
        if (await self.verifier.verify(text, solution.result)).result != "wrong":
            return None
        steps = [piece.strip() for piece in pieces_of(text)]
        labels = [True] * kept + [None] * (len(steps) - kept)
        return _Path(way, text, labelled(steps, labels), seed, kept)

    async def _inserted(self, seed: int, at: int, solution: Solution, ctx: Context, rng: Random) -> _Path | None:
        writer = Writer(ctx.models[self.writer], self.insert_prompts, self.insert_temperature, self.max_tokens)
        try:
            one, seed = await injected(writer, solution, at, rng.choice(list(ERRORS)), self.verifier, (seed,))
        except Dropped:
            return None
        labels = [True] * at + [False] + [None] * (len(one.steps) - 1)
        error = {"mistake_step": at + 1, "mistake_type": one.kind, "mistake_description": one.description}
        return _Path("insert", one.text, labelled([*solution.steps[:at], *one.steps], labels), seed, at, error)

    def _row(self, path: _Path, row: Row, ctx: Context) -> Row:
        params = {"right_steps": path.right_steps} | path.error
        origin = made_by(self.name, path.way, params, ctx.models[self.writer].name, path.seed)
        nothing = dict.fromkeys(("mistake_step", "mistake_type", "mistake_description"))
        return nothing | path.error | {
            "chosen": row["chosen"], "rejected": answer(path.text, origin), "verdict": "prefer", "flaw": path.way,
            "steps": path.steps, "right_steps": path.right_steps,
        }  # fmt: skip
