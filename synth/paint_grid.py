"""`synth.prompt_grid`: prompts from a template with slots, all combinations or some of them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from random import Random
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .prompt_slots import rendered

_SLOT: Final = re.compile(r"\{(\w+)\}")
_FILLED: Final = pa.list_(pa.struct([("slot", pa.string()), ("value", pa.string())]))


@final
@register("synth.prompt_grid")
class PromptGrid(Map):
    """A row for each way to fill a prompt's slots: subjects by styles, counts by colours by places.

    A slot named as a column of the row takes its value from there, the others all of those listed.
    After a `count` of two and more the slots of `counted` stand in the plural, and `a` becomes `an`
    where it must. Painted and scored by one scorer a slot, a grid gives pairs along either axis.
    """

    reads = ("{columns}",)
    writes = (
        Column("prompt", "the template, filled"),
        Column("slots", "what each slot was filled with", _FILLED),
    )
    paper = "Aligning Text-to-Image Models using Human Feedback, arXiv 2302.12192; ZipLoRA (subject × style)"

    template: Annotated[str, Field(min_length=1)]
    """The prompt, with {slot} for each slot."""
    slots: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    """Values of each slot."""
    columns: tuple[str, ...] = ()
    """Columns of the row that fill the slots of their names."""
    counted: tuple[str, ...] = ("object",)
    """Slots that hold what the slot `count` counts."""
    each: Annotated[int | None, Field(ge=1)] = None
    """Most prompts of a row, different ones, drawn by its own chance; null = all."""

    def faults(self) -> Sequence[str]:
        wanted, given = set(_SLOT.findall(self.template)), {*self.slots, *self.columns}
        found = [
            f"template: nothing fills {{{name}}}; list it under slots or columns" for name in sorted(wanted - given)
        ]
        found += [f"the template has no slot {{{name}}}" for name in sorted(given - wanted)]
        found += [f"{name} is among the slots and the columns" for name in sorted({*self.slots} & {*self.columns})]
        return found

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        own = {name: str(row[name] or "").strip() for name in self.columns}
        if not all(own.values()):
            return Drop("an empty slot")
        found = []
        for values in self._combinations(ctx.rng(row["id"])):
            filled = own | values
            prompt = rendered(self.template, filled, self.counted)
            slots = [{"slot": name, "value": filled[name]} for name in dict.fromkeys(_SLOT.findall(self.template))]
            message = {"role": "user", "content": prompt, "parts": None, "tool_calls": None}
            found.append({"prompt": [message], "slots": slots})
        return found

    def _combinations(self, rng: Random) -> list[dict[str, str]]:
        names, lists = list(self.slots), list(self.slots.values())
        total = math.prod(len(values) for values in lists)
        if self.each is None or self.each >= total:
            return [dict(zip(names, values, strict=True)) for values in itertools.product(*lists)]
        return [self._at(place) for place in sorted(rng.sample(range(total), self.each))]

    def _at(self, place: int) -> dict[str, str]:
        """The combination at a place of the grid, the last slot changing fastest."""
        values = {}
        for name in reversed(self.slots):
            place, index = divmod(place, len(self.slots[name]))
            values[name] = self.slots[name][index]
        return values
