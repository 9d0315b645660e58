"""Columns of a recipe: those a source has, those a stage reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .errors import RatherError
from .findings import Findings
from .hints import reason_of, who_writes
from .plan import ANY
from .recipe import StageEntry
from .row import SYSTEM
from .stage import Source, Stage


@final
@dataclass(frozen=True)
class ColumnChecker:
    """Finds faults of columns; `check_sources` looks into the sources."""

    check_sources: bool
    findings: Findings

    def of_source(self, entry: StageEntry, stage: Source) -> set[str]:
        """The columns a source's rows have; `ANY` where they cannot be known."""
        if not self.check_sources or any(f.line == entry.line for f in self.findings.faults):
            return {ANY}
        try:
            return set(stage.schema_names()) | set(SYSTEM)
        except (OSError, ValueError) as error:
            self.findings.fault(entry.line, f"{entry.name}: {reason_of(error)}")
            return {ANY}
        except RatherError as error:
            self.findings.fault(
                entry.line, f"{entry.name}: {error.cause}" + (f" ({error.place})" if error.place else ""), error.hint
            )
            return {ANY}

    def missing(self, entry: StageEntry, stage: Stage, columns: set[str]) -> None:
        """Columns a stage reads and none before it writes, and gold where it may not be read."""
        for name in stage.columns_read():
            if name.endswith("?") or name in columns:
                continue
            if name == "gold" and not stage.name.startswith("diagnose."):
                continue
            self.findings.fault(
                entry.line, f"{entry.name} reads {name}, which no earlier stage writes", who_writes(name, columns)
            )
        if not stage.name.startswith("diagnose.") and "gold" in {n.rstrip("?") for n in stage.columns_read()}:
            self.findings.fault(
                entry.line,
                f"{entry.name} reads gold, which only diagnose.* stages may",
                "gold labels are for evaluation",
            )

    def twice_written(self, entry: StageEntry, stage: Stage) -> None:
        """Columns a stage would write twice."""
        names = [column.name for column in stage.columns_written()]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.findings.fault(
                entry.line, f"{entry.name} would write the column {name} twice", "name each column once"
            )
