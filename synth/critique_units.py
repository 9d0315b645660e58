"""Analytical critique units: what is wrong, where, how badly, and what to do instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, final

import pyarrow as pa

from ..core.declared import Column
from ..core.row import COLUMNS
from ..core.stage import Row

SEVERITIES: Final = {1: "minor", 2: "serious", 3: "fatal"}
UNIT: Final = pa.struct(
    [
        ("criterion", pa.string()),
        ("quote", pa.string()),
        ("flaw", pa.string()),
        ("severity", pa.float64()),
        ("suggestion", pa.string()),
        ("agent", pa.string()),
        ("meta_label", pa.string()),
    ]
)
_TEXTS: Final = ("criterion", "quote", "flaw", "suggestion")
UNIT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(_TEXTS, {"type": "string"}),
        "severity": {"type": "integer", "minimum": 1, "maximum": 3},
    },
    "required": ["criterion", "quote", "flaw", "severity", "suggestion"],
}
SPANS: Final = (
    Column("units", "the flaws found", pa.list_(UNIT)),
    Column("spans", "where they stand in the response: code points, end exclusive", COLUMNS["spans"]),
    Column("quotes_lost", "quotes that do not stand in the response", pa.int32(), "quotes", 0, None, "neither"),
)


@final
@dataclass(frozen=True)
class Unit:
    """One flaw. `severity` is 1 (minor), 2 or 3 (fatal); `meta_label` what a judge made of the unit."""

    criterion: str
    quote: str
    flaw: str
    severity: float
    suggestion: str
    agent: str = ""
    meta_label: str | None = None

    def row(self) -> Row:
        """A value of `UNIT`."""
        return asdict(self)


def units_of(value: Sequence[Row], agent: str) -> list[Unit]:
    """Units from the JSON of a reply that fits `UNIT_SCHEMA`; those that name no flaw are left out."""
    found = []
    for entry in value:
        texts = {name: entry[name].strip() for name in _TEXTS}
        if texts["flaw"]:
            found.append(Unit(**texts, severity=float(entry["severity"]), agent=agent))
    return found


def located(units: Sequence[Unit], text: str) -> Row:
    """The columns of `SPANS`: a quote that is not in the text has no span and is counted as lost."""
    places = [(unit, place(unit.quote, text)) for unit in units]
    return {
        "units": [unit.row() for unit in units],
        "spans": [
            {"start": at[0], "end": at[1], "kind": u.criterion, "severity": u.severity, "comment": u.flaw}
            for u, at in places
            if at is not None
        ],
        "quotes_lost": sum(at is None and bool(unit.quote) for unit, at in places),
    }


def place(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quote stands, in code points, end exclusive: as it is, else whatever its white space and case."""
    if not quote.strip():
        return None
    start = text.find(quote)
    if start >= 0:
        return start, start + len(quote)
    loose = r"\s+".join(map(re.escape, quote.strip().strip("\"'“”‘’").split()))
    found = re.search(loose, text, re.IGNORECASE) if loose else None
    return found.span() if found else None


def told(units: Sequence[Unit]) -> str:
    """The units as numbered prose; where there is none, that no flaw was found."""
    if not units:
        return "No flaw was found."
    return "\n".join(f"{k}. {_sentence(unit)}" for k, unit in enumerate(units, 1))


def _sentence(unit: Unit) -> str:
    where = f' At "{unit.quote}":' if unit.quote else ""
    mend = f" Instead: {unit.suggestion}" if unit.suggestion else ""
    return f"{unit.criterion} ({SEVERITIES.get(int(unit.severity), 'minor')}).{where} {unit.flaw}{mend}"
