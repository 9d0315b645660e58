"""One critique of one answer: as a whole, by its steps, or by its flaws with quotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from ..models.critiques import Critique, read_critique
from ..models.pictures import Part
from ..models.readers import read_json
from ..models.verdict import Verdict
from .critique_records import Subject
from .critique_units import UNIT_SCHEMA, Unit, told, units_of
from .making import Writer

Grain = Literal["answer", "steps", "spans"]
Format = Literal["verdict", "brief", "full", "brief_attributed", "full_attributed"]
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "units": {"type": "array", "items": UNIT_SCHEMA},
        "conclusion": {"type": "string", "enum": ["right", "wrong"]},
    },
    "required": ["units", "conclusion"],
}


@final
@dataclass(frozen=True)
class Made:
    """A critique, what it is about and how it came about; `right` is the truth about the answer, where known."""

    subject: Subject
    format: Format
    seed: int
    said: Critique
    units: tuple[Unit, ...] = ()
    right: bool | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the verdict is true, where that is known."""
        return None if self.right is None else (self.said.verdict == "right") == self.right


async def criticised(
    writer: Writer,
    grain: Grain,
    format: Format,
    values: Mapping[str, Any],
    seed: int,
    pictures: Sequence[Part] = (),
) -> tuple[Critique, tuple[Unit, ...]] | Verdict:
    """A critique with its flaws, or the verdict that says why there is none. Raises CallError.

    `values` are those of the template: question, response, steps, reference and hint.
    """
    depth, _, attributed = format.partition("_")
    values = {**values, "depth": depth, "attributed": bool(attributed)}
    if grain != "spans":
        reader = read_critique(len(values["steps"]))
        found = await writer.verdict(grain, values, reader, seed=seed, pictures=pictures)
        return (found.value, ()) if found.ok else found
    found = await writer.verdict(grain, values, read_json(SCHEMA), seed=seed, pictures=pictures, schema=SCHEMA)
    if not found.ok:
        return found
    units = tuple(units_of(found.value["units"], writer.model.name))
    conclusion = found.value["conclusion"]
    return Critique(f"{told(units)}\nConclusion: {conclusion}", conclusion), units
