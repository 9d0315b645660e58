"""From a recipe to a checked plan: every name, option, model, file, extra and column, all faults at once."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final, get_args, get_origin

from pydantic import ValidationError

from . import registry, secrets
from .errors import Fault, RatherError, RecipeError, did_you_mean
from .recipe import ModelEntry, Recipe, StageEntry
from .row import SYSTEM
from .stage import FileOf, ModelOf, Select, Source, Stage, StageOf
from .yamlfile import expand

ANY: Final = "*"  # the columns of a source that could not be read: walk on without complaints


@final
@dataclass(frozen=True)
class Node:
    """One stage of a plan: the validated stage, where its rows come from, the columns after it."""

    index: int
    name: str
    line: int
    stage: Stage
    inputs: tuple[int, ...]
    columns: frozenset[str]
    until_rows: int | None = None
    skipped: str | None = None


@final
@dataclass(frozen=True)
class Plan:
    """A recipe that has been checked: it can be run as it is."""

    recipe: Recipe
    nodes: tuple[Node, ...]
    models: Mapping[str, registry.ModelSpec]

    def node(self, name: str) -> Node:
        """The node called `name`."""
        return next(node for node in self.nodes if node.name == name)

    def rows_into(self, node: Node) -> tuple[int, ...]:
        """Indices of the nodes whose rows come into `node`, skipped ones passed through."""
        return rows_into(self.nodes, node.inputs)

    @property
    def active(self) -> tuple[Node, ...]:
        """Nodes that are not skipped."""
        return tuple(node for node in self.nodes if node.skipped is None)


def rows_into(nodes: Sequence[Node], inputs: Iterable[int]) -> tuple[int, ...]:
    """The inputs with every skipped node replaced by its own; empty when nothing is left."""
    found: dict[int, None] = {}
    seen: set[int] = set()
    waiting = list(inputs)[::-1]
    while waiting:
        node = nodes[waiting.pop()]
        if node.skipped is None:
            found[node.index] = None
        elif node.index not in seen:
            seen.add(node.index)
            waiting += node.inputs[::-1]
    return tuple(found)


def make_plan(recipe: Recipe, *, check_sources: bool = True) -> Plan:
    """The plan of a recipe; raises RecipeError with every fault found.

    `check_sources=False` is for looking at a finished run whose inputs may be gone.
    """
    checker = _Checker(recipe, check_sources)
    plan = checker.plan()
    if checker.faults:
        raise RecipeError(checker.faults)
    return plan


@final
@dataclass
class _Checker:
    recipe: Recipe
    check_sources: bool
    faults: list[Fault] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def plan(self) -> Plan:
        self.faults += self.recipe.faults
        models = self.models()
        if not self.recipe.stages and not self.faults:
            self.fault(1, "the recipe has no stages")
        for entry in self.recipe.stages:
            self.node(entry, models)
        self.unread_branches()
        return Plan(self.recipe, tuple(self.nodes), models)

    def fault(self, line: int, cause: str, hint: str = "") -> None:
        self.faults.append(Fault(line, cause, hint, self.recipe.file))

    def models(self) -> dict[str, registry.ModelSpec]:
        found: dict[str, registry.ModelSpec] = {}
        for entry in self.recipe.models:
            spec = self.model(entry)
            if spec is not None:
                found[entry.nickname] = spec
        return found

    def model(self, entry: ModelEntry) -> registry.ModelSpec | None:
        options = {key: item.plain() for key, item in entry.options.items()}
        use = options.pop("use", None)
        if not isinstance(use, str) or use not in registry.models():
            cause = (
                f"the model {entry.nickname} uses {use!r}, which is not known"
                if use
                else f"the model {entry.nickname} has no `use:`"
            )
            self.fault(entry.line, cause, did_you_mean(str(use or ""), registry.models()))
            return None
        for key, value in options.items():
            if (
                secrets.is_secret_name(key)
                and isinstance(value, str)
                and "${" not in value
                and key in registry.models()[use].model_fields
            ):
                secrets.hide(value, key.upper())
                self.fault(
                    entry.options[key].line,
                    f"models.{entry.nickname}.{key} is a secret written out",
                    "write ${NAME} and set it in the environment",
                )
        spec = self.validated(registry.models()[use], options, entry.options, entry.line, f"models.{entry.nickname}")
        if spec is not None and self.check_sources:
            self.extra(entry.line, f"the model {entry.nickname} ({use})", spec.needs, spec.extra)
        return spec

    def node(self, entry: StageEntry, models: dict[str, registry.ModelSpec]) -> None:
        if any(node.name == entry.name for node in self.nodes):
            self.fault(entry.line, f"two stages are called {entry.name}", "give one of them another name with `as:`")
        known = registry.stages()
        if entry.kind not in known:
            self.fault(entry.line, f"no stage called {entry.kind}", did_you_mean(entry.kind, known))
            self.unknown_after(entry)
            return
        options = {key: item.plain() for key, item in entry.options.items()}
        stage = self.validated(known[entry.kind], options, entry.options, entry.line, entry.name)
        skipped = self.skipped(entry)
        if stage is None:
            self.unknown_after(entry)
            return
        if skipped is None:
            self.references(entry, stage, models)
            if self.check_sources:
                self.extra(entry.line, entry.name, stage.needs, stage.extra)
        self.walk(entry, stage, skipped)

    def validated(self, cls: Any, options: dict[str, Any], lines: Mapping[str, Any], line: int, owner: str) -> Any:
        missing: set[str] = set()
        filled = expand(options, missing)
        for name in sorted(missing):
            self.fault(line, f"{owner} needs the environment variable {name}, which is not set", f"export {name}=…")
        try:
            return cls(**filled) if not missing else None
        except ValidationError as error:
            for detail in error.errors():
                self.option_fault(cls, detail, lines, line, owner)
        except TypeError as error:
            self.fault(line, f"{owner}: {error}")
        return None

    def option_fault(self, cls: Any, detail: Any, lines: Mapping[str, Any], line: int, owner: str) -> None:
        path = [str(part) for part in detail["loc"]]
        option = path[0] if path else ""
        at = lines[option].line if option in lines and lines[option].line else line
        if detail["type"] == "extra_forbidden" and len(path) == 1:
            self.fault(at, f"{owner} has no option {option}", did_you_mean(option, cls.model_fields))
        elif detail["type"] == "missing":
            self.fault(line, f"{owner} needs the option {'.'.join(path)}", _help_of(cls, option))
        else:
            given = secrets.redact(f"{detail.get('input')!r:.60}")
            self.fault(at, f"{owner}.{'.'.join(path)}: {_lower(detail['msg'])} (given {given})", _help_of(cls, option))

    def references(self, entry: StageEntry, stage: Stage, models: dict[str, registry.ModelSpec]) -> None:
        for option, info in type(stage).model_fields.items():
            value = getattr(stage, option)
            line = entry.options[option].line if option in entry.options and entry.options[option].line else entry.line
            for mark in _marks(info):
                if isinstance(mark, ModelOf) and value is not None:
                    for nickname in value if isinstance(value, (list, tuple)) else [value]:
                        self.model_reference(line, entry, nickname, mark, models)
                elif isinstance(mark, StageOf) and value is not None:
                    self.stage_reference(line, f"{entry.name}.{option}", str(value))
                elif self.check_sources and isinstance(mark, FileOf) and value and not _exists(Path(value)):
                    self.fault(line, f"{entry.name}.{option}: {value} does not exist", _near_file(Path(value)))
        if self.check_sources:
            self.own_faults(entry, stage)

    def own_faults(self, entry: StageEntry, stage: Stage) -> None:
        try:
            found = list(stage.faults())
        except (OSError, ValueError) as error:
            found = [_reason(error)]
        for cause in found:
            head, _, hint = cause.partition("; ")
            self.fault(entry.line, f"{entry.name}: {head}", hint)

    def stage_reference(self, line: int, owner: str, name: str) -> None:
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            hint = did_you_mean(name, [node.name for node in self.nodes])
            self.fault(line, f"{owner}: no earlier stage is called {name}", hint)
        elif found.skipped is not None:
            self.fault(line, f"{owner}: {name} is skipped here ({found.skipped})", "give this stage the same `if:`")

    def model_reference(
        self, line: int, entry: StageEntry, nickname: str, mark: ModelOf, models: dict[str, registry.ModelSpec]
    ) -> None:
        spec = models.get(nickname)
        if spec is None and nickname in registry.models():
            try:
                spec = registry.models()[nickname]()
            except ValidationError:
                self.fault(line, f"{entry.name}: the model {nickname} needs options", "declare it under `models:`")
                return
            models[nickname] = spec
            self.extra(line, f"the model {nickname}", spec.needs, spec.extra)
        if spec is None:
            if all(m.nickname != nickname for m in self.recipe.models):
                names = [m.nickname for m in self.recipe.models] + list(registry.models_of(mark.kind))
                self.fault(line, f"{entry.name}: no model called {nickname}", did_you_mean(nickname, names))
        elif spec.kind != mark.kind:
            known = ", ".join(registry.models_of(mark.kind))
            self.fault(line, f"{entry.name}: {nickname} is a {spec.kind}, not a {mark.kind}", f"of that kind: {known}")

    def extra(self, line: int, owner: str, needs: Iterable[str], extra: str) -> None:
        missing = [module for module in needs if not _importable(module)]
        if missing:
            self.fault(line, f"{owner} needs {', '.join(missing)}, not installed", f"pip install 'rather[{extra}]'")

    def skipped(self, entry: StageEntry) -> str | None:
        if entry.condition is None:
            return None
        try:
            return (
                None
                if holds(entry.condition)
                else f"if: {str(entry.condition).lower() if isinstance(entry.condition, bool) else entry.condition}"
            )
        except RatherError as error:
            self.fault(entry.line, f"{entry.name}: {error.cause}", error.hint)
            return None

    def walk(self, entry: StageEntry, stage: Stage, skipped: str | None) -> None:
        inputs = self.inputs_of(entry, stage)
        columns = self.columns_before(inputs)
        if skipped is None and isinstance(stage, Source):
            columns = self.source_columns(entry, stage)
        elif skipped is None and inputs and not rows_into(self.nodes, inputs):
            gone = " and ".join(self.nodes[index].name for index in inputs)
            self.fault(entry.line, f"{entry.name} has no rows to work on: {gone} is skipped here")
        elif skipped is None and ANY not in columns:
            self.missing_columns(entry, stage, columns)
        if skipped is None:
            self.twice_written(entry, stage)
        if skipped is None:
            columns = columns | {column.name for column in stage.columns_written()}
        self.nodes.append(
            Node(len(self.nodes), entry.name, entry.line, stage, inputs, frozenset(columns), entry.until_rows, skipped)
        )
        if entry.until_rows is not None and stage.shape not in ("source", "map", "score", "gate"):
            self.fault(
                entry.line, f"{entry.name}: until needs a stage that streams; a {stage.shape} sees the whole set first"
            )

    def inputs_of(self, entry: StageEntry, stage: Stage) -> tuple[int, ...]:
        if isinstance(stage, Source):
            if entry.inputs is not None:
                self.fault(entry.line, f"{entry.name} begins rows: it takes no inputs")
            return ()
        if entry.inputs is None:
            if not self.nodes:
                self.fault(entry.line, f"{entry.name} has no rows to work on", "begin with a read.* stage")
                return ()
            return (len(self.nodes) - 1,)
        found = []
        for name in entry.inputs:
            match = [node.index for node in self.nodes if node.name == name]
            if match:
                found += match[:1]
            else:
                self.fault(
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

    def source_columns(self, entry: StageEntry, stage: Source) -> set[str]:
        if not self.check_sources or any(f.line == entry.line for f in self.faults):
            return {ANY}
        try:
            return set(stage.schema_names()) | set(SYSTEM)
        except (OSError, ValueError) as error:
            self.fault(entry.line, f"{entry.name}: {_reason(error)}")
            return {ANY}
        except RatherError as error:
            self.fault(
                entry.line, f"{entry.name}: {error.cause}" + (f" ({error.place})" if error.place else ""), error.hint
            )
            return {ANY}

    def missing_columns(self, entry: StageEntry, stage: Stage, columns: set[str]) -> None:
        for name in stage.columns_read():
            if name.endswith("?") or name in columns:
                continue
            if name == "gold" and not stage.name.startswith("diagnose."):
                continue
            self.fault(
                entry.line, f"{entry.name} reads {name}, which no earlier stage writes", _who_writes(name, columns)
            )
        if not stage.name.startswith("diagnose.") and "gold" in {n.rstrip("?") for n in stage.columns_read()}:
            self.fault(
                entry.line,
                f"{entry.name} reads gold, which only diagnose.* stages may",
                "gold labels are for evaluation",
            )

    def twice_written(self, entry: StageEntry, stage: Stage) -> None:
        names = [column.name for column in stage.columns_written()]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.fault(entry.line, f"{entry.name} would write the column {name} twice", "name each column once")

    def unknown_after(self, entry: StageEntry) -> None:
        placeholder = _Unknown()
        self.nodes.append(Node(len(self.nodes), entry.name, entry.line, placeholder, (), frozenset({ANY})))

    def unread_branches(self) -> None:
        if any(isinstance(node.stage, _Unknown) for node in self.nodes):
            return  # what an unknown stage would have read cannot be said
        fed = {index for node in self.nodes for index in node.inputs}
        for node in self.nodes[:-1]:
            if node.index not in fed and node.skipped is None:
                self.fault(
                    node.line, f"no later stage reads the rows of {node.name}", "name it in a later stage's `inputs:`"
                )


@final
class _Unknown(Select):
    """Stands where a stage could not be built, so that the walk goes on and finds more faults."""

    def select(self, narrow: Any) -> Any:
        raise AssertionError("a plan with faults is never run")


def holds(condition: str | bool) -> bool:
    """Whether an `if:` is true here: gpu, `env NAME`, `extra NAME`, true, false, or `not …` of these."""
    if isinstance(condition, bool):
        return condition
    missing: set[str] = set()
    words = str(expand(condition, missing)).split()
    nots = next((k for k, word in enumerate(words) if word != "not"), len(words))
    if nots:
        return holds(" ".join(words[nots:])) != bool(nots % 2)
    match words:
        case ["gpu"]:
            return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
        case ["true"]:
            return True
        case ["false"] | []:
            return False
        case ["env", name]:
            return bool(os.environ.get(name))
        case ["extra", module]:
            return _importable(module)
    raise RecipeError(
        [
            Fault(
                0, f"if: {condition} is not understood", "it takes gpu, env NAME, extra MODULE, true, false, or `not …`"
            )
        ]
    )


def _marks(info: Any) -> list[Any]:
    found = list(info.metadata)
    stack = [info.annotation]
    while stack:
        kind = stack.pop()
        if get_origin(kind) is not None:
            found += list(getattr(kind, "__metadata__", ()))
            stack += [arg for arg in get_args(kind) if not isinstance(arg, str)]
    return found


def _help_of(cls: Any, option: str) -> str:
    info = cls.model_fields.get(option)
    return (info.description or "").split("\n")[0].rstrip(".") if info is not None else ""


def _who_writes(name: str, columns: set[str]) -> str:
    writers = sorted(
        n for n, cls in registry.stages().items() if any(getattr(c, "name", c) == name for c in cls.writes)
    )
    near = did_you_mean(name, columns - set(SYSTEM)) if not writers else ""
    return (
        f"{' or '.join(writers[:3])} writes it"
        if writers
        else near or f"columns here: {', '.join(sorted(columns - set(SYSTEM))[:14])}"
    )


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent that is missing, or no module name at all
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _reason(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return told or (str(error).splitlines() or [""])[0] or type(error).__name__


def _near_file(path: Path) -> str:
    folder = path.parent
    if not _exists(folder):
        return f"the folder {folder} does not exist either"
    if not folder.is_dir():
        return f"{folder} is a file, not a folder"
    return did_you_mean(path.name, [p.name for p in list(folder.iterdir())[:500]])


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
