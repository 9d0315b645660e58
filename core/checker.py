"""The walk over a recipe that finds every fault: names, options, models, files, extras, columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from . import registry
from .column_checker import ColumnChecker
from .declared import FileOf, ModelOf, StageOf
from .errors import RatherError, did_you_mean
from .findings import Findings
from .hints import exists, holds, marks_of, near_file, reason_of
from .model_checker import ModelChecker
from .plan import ANY, Node, Plan, rows_into
from .recipe import Recipe, StageEntry
from .stage import Select, Source, Stage


@final
@dataclass
class Checker:
    """Walks a recipe's stages in order; what is wrong with each goes to `findings`."""

    recipe: Recipe
    check_sources: bool
    findings: Findings
    nodes: list[Node] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def models(self) -> ModelChecker:
        return ModelChecker(self.recipe, self.check_sources, self.findings)

    @property
    def columns(self) -> ColumnChecker:
        return ColumnChecker(self.check_sources, self.findings)

    def plan(self) -> Plan:
        self.findings.faults.extend(self.recipe.faults)
        models = self.models.declared()
        if not self.recipe.stages and not self.findings.faults:
            self.findings.fault(1, "the recipe has no stages")
        for entry in self.recipe.stages:
            self.node(entry, models)
        self.unread_branches()
        return Plan(self.recipe, tuple(self.nodes), models)

    def node(self, entry: StageEntry, models: dict[str, registry.ModelSpec]) -> None:
        if any(node.name == entry.name for node in self.nodes):
            self.findings.fault(
                entry.line, f"two stages are called {entry.name}", "give one of them another name with `as:`"
            )
        known = registry.stage(entry.kind)
        if known is None:
            self.findings.fault(
                entry.line, f"no stage called {entry.kind}", did_you_mean(entry.kind, registry.stages())
            )
            self.unknown_after(entry)
            return
        options = {key: item.plain() for key, item in entry.options.items()}
        stage = self.findings.validated(known, options, entry.options, entry.line, entry.name)
        skipped = self.skipped(entry)
        if stage is None:
            self.unknown_after(entry)
            return
        if skipped is None:
            self.references(entry, stage, models)
            if self.check_sources:
                self.findings.extra(entry.line, entry.name, stage.needs, stage.extra)
        self.walk(entry, stage, skipped)

    def references(self, entry: StageEntry, stage: Stage, models: dict[str, registry.ModelSpec]) -> None:
        for option, info in type(stage).model_fields.items():
            value = getattr(stage, option)
            line = entry.options[option].line if option in entry.options and entry.options[option].line else entry.line
            for mark in marks_of(info):
                if isinstance(mark, ModelOf) and value is not None:
                    for nickname in value if isinstance(value, (list, tuple)) else [value]:
                        self.models.refer(line, entry, nickname, mark, models)
                elif isinstance(mark, StageOf) and value is not None:
                    self.stage_reference(line, f"{entry.name}.{option}", str(value))
                elif self.check_sources and isinstance(mark, FileOf) and value and not exists(Path(value)):
                    self.findings.fault(line, f"{entry.name}.{option}: {value} does not exist", near_file(Path(value)))
        if self.check_sources:
            self.own_faults(entry, stage)

    def own_faults(self, entry: StageEntry, stage: Stage) -> None:
        try:
            found = list(stage.faults())
        except (OSError, ValueError) as error:
            found = [reason_of(error)]
        for cause in found:
            head, _, hint = cause.partition("; ")
            self.findings.fault(entry.line, f"{entry.name}: {head}", hint)

    def stage_reference(self, line: int, owner: str, name: str) -> None:
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            hint = did_you_mean(name, [node.name for node in self.nodes])
            self.findings.fault(line, f"{owner}: no earlier stage is called {name}", hint)
        elif found.skipped is not None:
            self.findings.fault(
                line, f"{owner}: {name} is skipped here ({found.skipped})", "give this stage the same `if:`"
            )

    def skipped(self, entry: StageEntry) -> str | None:
        if entry.condition is None:
            return None
        try:
            if holds(entry.condition, {model.nickname for model in self.recipe.models}):
                return None
            told = str(entry.condition).lower() if isinstance(entry.condition, bool) else entry.condition
            return f"if: {told}"
        except RatherError as error:
            self.findings.fault(entry.line, f"{entry.name}: {error.cause}", error.hint)
            return None

    def walk(self, entry: StageEntry, stage: Stage, skipped: str | None) -> None:
        inputs = self.inputs_of(entry, stage)
        columns = self.columns_before(inputs)
        if skipped is None and isinstance(stage, Source):
            columns = self.columns.of_source(entry, stage)
        elif skipped is None and inputs and not rows_into(self.nodes, inputs):
            gone = " and ".join(self.nodes[index].name for index in inputs)
            self.findings.fault(entry.line, f"{entry.name} has no rows to work on: {gone} is skipped here")
        elif skipped is None and ANY not in columns:
            self.columns.missing(entry, stage, columns)
        if skipped is None:
            self.columns.twice_written(entry, stage)
        if skipped is None:
            columns = columns | {column.name for column in stage.columns_written()}
        self.nodes.append(
            Node(len(self.nodes), entry.name, entry.line, stage, inputs, frozenset(columns), entry.until_rows, skipped)
        )
        if entry.until_rows is not None and stage.shape not in ("source", "map", "score", "gate"):
            self.findings.fault(
                entry.line, f"{entry.name}: until needs a stage that streams; a {stage.shape} sees the whole set first"
            )

    def inputs_of(self, entry: StageEntry, stage: Stage) -> tuple[int, ...]:
        if isinstance(stage, Source):
            if entry.inputs is not None:
                self.findings.fault(entry.line, f"{entry.name} begins rows: it takes no inputs")
            return ()
        if entry.inputs is None:
            if not self.nodes:
                self.findings.fault(entry.line, f"{entry.name} has no rows to work on", "begin with a read.* stage")
                return ()
            return (len(self.nodes) - 1,)
        found = []
        for name in entry.inputs:
            match = [node.index for node in self.nodes if node.name == name]
            if match:
                found += match[:1]
            else:
                self.findings.fault(
                    entry.line,
                    f"{entry.name}: inputs names {name}, no earlier stage",
                    did_you_mean(name, [n.name for n in self.nodes]),
                )
        self.used |= {self.nodes[index].name for index in found}
        return tuple(dict.fromkeys(found))

    def columns_before(self, inputs: tuple[int, ...]) -> set[str]:
        if not inputs:
            return {ANY}
        return set().union(*(self.nodes[index].columns for index in inputs))

    def unknown_after(self, entry: StageEntry) -> None:
        self.nodes.append(Node(len(self.nodes), entry.name, entry.line, _Unknown(), (), frozenset({ANY})))

    def unread_branches(self) -> None:
        if any(isinstance(node.stage, _Unknown) for node in self.nodes):
            return  # what an unknown stage would have read cannot be said
        fed = {index for node in self.nodes for index in node.inputs}
        for node in self.nodes[:-1]:
            if node.index not in fed and node.skipped is None:
                self.findings.fault(
                    node.line, f"no later stage reads the rows of {node.name}", "name it in a later stage's `inputs:`"
                )


@final
class _Unknown(Select):
    """Stands where a stage could not be built, so that the walk goes on and finds more faults."""

    def select(self, narrow: Any) -> Any:
        raise AssertionError("a plan with faults is never run")
