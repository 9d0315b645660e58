"""The steps of a critique by several agents: crucial information, flaws, what a judge makes of them, the merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from ..core.stage import Dropped, Row
from ..models.pictures import Part
from ..models.readers import read_json
from .critique_units import UNIT_SCHEMA, Unit, units_of
from .making import Writer

LABELS: Final = (
    "correct",
    "wrong_location",
    "wrong_criterion",
    "no_flaw",
    "trivial",
    "unclear",
    "bad_suggestion",
)
_TEXT: Final = {"type": "string"}
CRUCIAL: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "task": _TEXT,
        "criteria": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"name": _TEXT, "details": {"type": "array", "items": _TEXT}},
                "required": ["name", "details"],
            },
        },
        "reference": _TEXT,
    },
    "required": ["task", "criteria", "reference"],
}
UNITS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"units": {"type": "array", "items": UNIT_SCHEMA}},
    "required": ["units"],
}


@final
@dataclass(frozen=True)
class Crucial:
    """What every later prompt is told of a query: the task, two levels of criteria, a reference response."""

    task: str
    criteria: tuple[tuple[str, tuple[str, ...]], ...]
    reference: str

    @property
    def rows(self) -> list[Row]:
        """The criteria as a column holds them."""
        return [{"name": name, "details": list(details)} for name, details in self.criteria]


@final
@dataclass(frozen=True)
class Merged:
    """The merged critique and its overall score, 1 to 10."""

    units: tuple[Unit, ...]
    text: str
    score: float


async def crucial(writer: Writer, question: str, seed: int, pictures: Sequence[Part] = ()) -> Crucial:
    """Written once for each query, whatever the responses. Raises Dropped or CallError."""
    found = await writer.says(
        "crucial", {"question": question}, read_json(CRUCIAL), seed=seed, schema=CRUCIAL, pictures=pictures
    )
    criteria = tuple((entry["name"], tuple(entry["details"])) for entry in found["criteria"])
    return Crucial(found["task"], criteria, found["reference"])


async def criticised_by(
    agent: Writer, values: Mapping[str, Any], seed: int, pictures: Sequence[Part] = ()
) -> list[Unit] | None:
    """One agent's flaws of a response; null where its reply cannot be read. Raises CallError."""
    found = await agent.verdict("critique", values, read_json(UNITS), seed=seed, schema=UNITS, pictures=pictures)
    return units_of(found.value["units"], agent.model.name) if found.ok else None


async def classified(
    judge: Writer, values: Mapping[str, Any], units: Sequence[Unit], pictures: Sequence[Part] = ()
) -> list[Unit]:
    """The units, each with one of `LABELS`. Raises Dropped or CallError; no call where there is no unit."""
    if not units:
        return []
    schema = labels_schema(len(units))
    found = await judge.says(
        "classify", {**values, "units": units, "labels": LABELS}, read_json(schema), schema=schema,
        temperature=0.0, pictures=pictures,
    )  # fmt: skip
    return [replace(unit, meta_label=found[str(k)]) for k, unit in enumerate(units, 1)]


async def merged(
    judge: Writer, values: Mapping[str, Any], units: Sequence[Unit], pictures: Sequence[Part] = ()
) -> Merged:
    """One critique from the sound units: repeats named once, worst first, with a score. Raises Dropped or CallError."""
    schema = merge_schema(len(units))
    found = await judge.says(
        "merge", {**values, "units": units}, read_json(schema), schema=schema, temperature=0.0, pictures=pictures
    )
    kept = list(dict.fromkeys(number for number in found.get("keep", ()) if 1 <= number <= len(units)))
    if units and not kept:
        raise Dropped("merge: no flaw kept")
    chosen = sorted((units[number - 1] for number in kept), key=lambda unit: -unit.severity)
    return Merged(tuple(chosen), found["critique"].strip(), float(found["score"]))


def labels_schema(n: int) -> dict[str, Any]:
    """Schema of a label for each of n units."""
    numbers = [str(k) for k in range(1, n + 1)]
    label = {"type": "string", "enum": list(LABELS)}
    return {"type": "object", "properties": dict.fromkeys(numbers, label), "required": numbers}


def merge_schema(n: int) -> dict[str, Any]:
    """Schema of a merged critique: the numbers of the units kept (where there is one), the text, the score."""
    found = {
        "keep": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": n}},
        "critique": _TEXT,
        "score": {"type": "integer", "minimum": 1, "maximum": 10},
    }
    if not n:
        del found["keep"]
    return {"type": "object", "properties": found, "required": list(found)}


def net_severity(units: Sequence[Unit]) -> float:
    """Severity of the flaws a judge found correct less that of all others: what a critique is worth among others."""
    return sum(unit.severity if unit.meta_label == "correct" else -unit.severity for unit in units)
