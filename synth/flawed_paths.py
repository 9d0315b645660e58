"""`synth.flawed_paths`: solutions that go wrong, where it is known how far they are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .confirming import JUDGED_MARGIN, Aim, Aimed, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .critique_records import labelled
from .injecting import ERRORS, Order, Solution, injected, pieces_of, result_of
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
    tried,
)
from .verifiers import AnyVerifier
from .verifiers_text import Formula

Way = Literal["sample", "continue", "insert"]
NONE: Final = "no flawed path"


@final
@dataclass(frozen=True)
class _Attempt:
    """One way with its chances: how many pieces are kept to be carried on, which error is put in."""

    way: Way
    seed: int
    kept: int
    order: Order


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
        JUDGED_MARGIN,
    )
    paper = "AutoMathCritique, arXiv 2411.16579, its first stage (from memory; counts and temperatures: house)"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who solves, carries on and puts errors in."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Rates solutions where a target margin is given."""
    ways: Annotated[tuple[Way, ...], Field(min_length=1)] = ("sample", "continue", "insert")
    """How errors come in."""
    samples: Annotated[int, Field(ge=1, le=128)] = 2
    """Attempts a way."""
    reference: str = "reference"
    """Column with the right answer; without one, the answer the row's own solution comes to."""
    verifier: AnyVerifier = Formula()
    """How a wrong answer is told."""
    strength: Strength = "clear"
    """How easily an inserted error is noticed: subtle, clear or gross."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, between a judge's ratings of the right solution and a path. Errors
    are inserted plainer or harder to see until one fits; other paths fit or go. null = no rating."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Most errors inserted for a target margin, each attempt."""
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
        found = [*TEMPLATES.faults(self.prompts, self.insert_prompts), *self.verifier.faults()]
        return [*found, *target_faults(self.target_margin, self.judge)]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, self.insert_prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        if self.target_margin is None:
            return float(len(self.ways) * self.samples)
        return 1.0 + 2 * self.samples * sum(self.tries if way == "insert" else 1 for way in self.ways)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        clean = answer_of(row)
        solution = Solution(prompt_of(row), pieces_of(clean), result_of(clean, row.get(self.reference)))
        attempts = list(self._attempts(solution, ctx, ctx.rng(row["id"])))
        found, gone = await tried(*(self._aimed(one, clean, solution, row, ctx) for one in attempts))
        paths = {one.made.text: one for one in reversed(found) if one.made.text.strip() != clean.strip()}
        if not paths:
            far = [one for one in gone if one.reason != NONE]
            raise Dropped(far[0].reason, far[0].values) if far else Dropped(NONE, {"attempts": len(attempts)})
        return [self._row(path, row, ctx) for path in reversed(paths.values())]

    def _attempts(self, solution: Solution, ctx: Context, rng: Random) -> Iterator[_Attempt]:
        pieces, kinds = len(solution.pieces), list(ERRORS)
        for seed in sample_seeds(ctx, self.samples):
            for way in self.ways:
                kept = rng.randrange(1, max(pieces, 2))
                yield _Attempt(way, seed, kept, Order(rng.randrange(pieces), rng.choice(kinds)))

    async def _aimed(self, one: _Attempt, clean: str, solution: Solution, row: Row, ctx: Context) -> Aimed[_Path]:
        """The path of one attempt, of the margin wished for. Raises Dropped, saying why there is none."""

        async def make(strength: Strength, number: int) -> _Path:
            now = replace(one, seed=one.seed + number * self.samples, order=replace(one.order, strength=strength))
            path = await self._path(now, solution, row, ctx)
            if path is None:
                raise Dropped(NONE)
            return path

        judge = ctx.models[self.judge] if self.judge else None
        aim = Aim(judge, solution.prompt, self.target_margin, self.tries if one.way == "insert" else 1)
        return await aim.at(clean, make, self.strength, text_of=lambda path: path.text)

    async def _path(self, one: _Attempt, solution: Solution, row: Row, ctx: Context) -> _Path | None:
        """A solution made one way; None when it is no sound one, or a right one."""
        if one.way == "insert":
            return await self._inserted(one, solution, ctx)
        if one.way == "continue":
            return await self._continued(one, solution, ctx) if len(solution.pieces) > 1 else None
        said = await answered(
            ctx.models[self.writer], messages_of(row), temperature=self.temperature, max_tokens=self.max_tokens,
            seed=one.seed,
        )  # fmt: skip
        return await self._wrong(one, said.value, 0, solution) if said.ok else None

    async def _continued(self, one: _Attempt, solution: Solution, ctx: Context) -> _Path | None:
        writer = Writer(ctx.models[self.writer], self.prompts, self.high_temperature, self.max_tokens)
        kept = "".join(solution.pieces[: one.kept])
        said = await writer.verdict("continue", {"prompt": solution.prompt, "beginning": kept}, seed=one.seed)
        if not said.ok:
            return None
        rest = said.value.removeprefix(kept.strip()).lstrip()
        space = "" if kept[-1:].isspace() else "\n"
        return await self._wrong(one, f"{kept}{space}{rest}", one.kept, solution)

    async def _wrong(self, one: _Attempt, text: str, kept: int, solution: Solution) -> _Path | None:
        if (await self.verifier.verify(text, solution.result)).result != "wrong":
            return None
        steps = [piece.strip() for piece in pieces_of(text)]
        labels = [True] * kept + [None] * (len(steps) - kept)
        return _Path(one.way, text, labelled(steps, labels), one.seed, kept)

    async def _inserted(self, one: _Attempt, solution: Solution, ctx: Context) -> _Path | None:
        writer = Writer(ctx.models[self.writer], self.insert_prompts, self.insert_temperature, self.max_tokens)
        try:
            made, seed = await injected(writer, solution, one.order, self.verifier, (one.seed,))
        except Dropped:
            return None
        at = one.order.at
        labels = [True] * at + [False] + [None] * (len(made.steps) - 1)
        error = {"mistake_step": at + 1, "mistake_type": made.kind, "mistake_description": made.description}
        return _Path("insert", made.text, labelled([*solution.steps[:at], *made.steps], labels), seed, at, error)

    def _row(self, found: Aimed[_Path], row: Row, ctx: Context) -> Row:
        path = found.made
        params = {"right_steps": path.right_steps} | path.error
        params |= {"strength": found.strength} if path.way == "insert" else {}
        params |= {"target": list(self.target_margin), "margin": found.margin} if self.target_margin else {}
        origin = made_by(self.name, path.way, params, ctx.models[self.writer].name, path.seed)
        nothing = dict.fromkeys(("mistake_step", "mistake_type", "mistake_description"))
        return nothing | path.error | {
            "chosen": row["chosen"], "rejected": answer(path.text, origin), "verdict": "prefer", "flaw": path.way,
            "steps": path.steps, "right_steps": path.right_steps, "judged_margin": found.margin,
        }  # fmt: skip
