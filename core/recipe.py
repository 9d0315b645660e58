"""A recipe as read: names, options, lines. Nothing is looked up yet (see `plan`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, final

import yaml

from .errors import Fault
from .yamlfile import Located

RESERVED: Final = ("as", "if", "until", "inputs")
TOP: Final = ("name", "seed", "models", "stages", "max_failed", "batch", "workers")


@final
@dataclass(frozen=True)
class StageEntry:
    """One stage of a recipe: its type, options (unexpanded), name, and the reserved keys."""

    kind: str
    line: int
    options: dict[str, Located] = field(default_factory=dict)
    alias: str | None = None
    condition: str | bool | None = None
    until_rows: int | None = None
    inputs: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What other stages, `--set` and the report call it."""
        return self.alias or self.kind


@final
@dataclass(frozen=True)
class ModelEntry:
    """One model of a recipe: its nickname, options (unexpanded, `use` among them)."""

    nickname: str
    line: int
    options: dict[str, Located]


@final
@dataclass(frozen=True)
class Recipe:
    """A parsed recipe; `faults` holds what was wrong with its form."""

    file: str
    name: str
    seed: int
    models: tuple[ModelEntry, ...]
    stages: tuple[StageEntry, ...]
    max_failed: int | float | None = None
    batch: int | None = None
    workers: int | None = None
    header: str = ""
    faults: tuple[Fault, ...] = ()

    def dump(self) -> str:
        """The recipe as YAML, options as set, `${ENV}` unexpanded: what the run folder keeps."""
        top: dict[str, Any] = {"name": self.name, "seed": self.seed}
        for key in ("max_failed", "batch", "workers"):
            if getattr(self, key) is not None:
                top[key] = getattr(self, key)
        if self.models:
            top["models"] = {m.nickname: {k: v.plain() for k, v in m.options.items()} for m in self.models}
        top["stages"] = [_dump_entry(entry) for entry in self.stages]
        return self.header + yaml.safe_dump(top, sort_keys=False, allow_unicode=True, width=110)


def _dump_entry(entry: StageEntry) -> dict[str, Any]:
    dumped: dict[str, Any] = {entry.kind: {key: item.plain() for key, item in entry.options.items()}}
    if entry.alias and entry.alias != entry.kind:
        dumped["as"] = entry.alias
    if entry.condition is not None:
        dumped["if"] = entry.condition
    if entry.until_rows is not None:
        dumped["until"] = {"rows": entry.until_rows}
    if entry.inputs is not None:
        dumped["inputs"] = list(entry.inputs)
    return dumped
