"""Where a dataset comes from, read from the resolved recipe: sources, models, papers, licences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import yaml

from ..core import registry
from ..core.declared import ModelOf
from ..core.yamlfile import expand

_WHERE: Final = ("path", "repo", "name", "dataset")


@final
@dataclass(frozen=True)
class Origin:
    """One source: the stage that read it, what it read, the licence its own card declares."""

    kind: str
    where: str
    license: str | None


@final
@dataclass(frozen=True)
class Origins:
    """What a recipe says of a dataset's making."""

    name: str
    kinds: tuple[str, ...]
    sources: tuple[Origin, ...]
    models: tuple[tuple[str, str], ...]
    papers: tuple[tuple[str, str], ...]

    @property
    def license(self) -> str | None:
        """The licence all sources declare; None unless every one declares the same."""
        declared = {source.license for source in self.sources}
        return declared.pop() if len(declared) == 1 else None


def origins(recipe: str, skipped: Collection[str] = ()) -> Origins:
    """Read a resolved recipe (YAML text); stages skipped, or not known any more, are passed over."""
    top = yaml.safe_load(recipe) or {}
    entries = list(_entries(top.get("stages") or (), skipped))
    known = {kind: registry.stage(kind) for kind, _ in entries}
    papers = dict.fromkeys((kind, cls.paper) for kind, cls in known.items() if cls is not None)
    return Origins(
        name=str(top.get("name") or ""),
        kinds=tuple(kind for kind, _ in entries),
        sources=tuple(_origin(kind, options) for kind, options in entries if _is_source(kind)),
        models=_models(top.get("models") or {}, entries),
        papers=tuple((kind, paper) for kind, paper in papers if paper and paper != "house"),
    )


def declared_license(path: Path) -> str | None:
    """The `license` in the front matter of the README beside a local source; None when silent."""
    for folder in (path, *path.parents[:2]):
        readme = folder / "README.md"
        if readme.is_file():
            head = readme.read_text(encoding="utf-8", errors="replace")
            return _license_of(head.split("---", 2)[1]) if head.startswith("---") and head.count("---") > 1 else None
    return None


def _license_of(front: str) -> str | None:
    try:
        said = yaml.safe_load(front)
    except yaml.YAMLError:
        return None
    value = said.get("license") if isinstance(said, dict) else None
    return value if isinstance(value, str) and value != "unknown" else None


def _entries(stages: Any, skipped: Collection[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in stages:
        for key, options in entry.items() if isinstance(entry, dict) else ():
            if "." in str(key) and entry.get("as", key) not in skipped:
                yield str(key), options if isinstance(options, dict) else {}


def _is_source(kind: str) -> bool:
    stage = registry.stage(kind)
    return stage.shape == "source" if stage else kind.startswith("read.")


def _origin(kind: str, options: Mapping[str, Any]) -> Origin:
    where = next((str(options[name]) for name in _WHERE if options.get(name)), "")
    local = Path(str(expand(where, set())))
    exists = bool(where) and local.exists()
    return Origin(kind, local.name if exists else where, declared_license(local) if exists else None)


def _models(declared: Mapping[str, Any], entries: list[tuple[str, Mapping[str, Any]]]) -> tuple[tuple[str, str], ...]:
    used: dict[str, str] = {}
    for kind, options in entries:
        stage = registry.stage(kind)
        for option, field in (stage.model_fields if stage else {}).items():
            if any(isinstance(mark, ModelOf) for mark in field.metadata):
                nickname = options.get(option, field.default)
                if isinstance(nickname, str) and nickname:
                    used[nickname] = _model_name(nickname, declared.get(nickname))
    return tuple(used.items())


def _model_name(nickname: str, options: Any) -> str:
    if not isinstance(options, dict):
        return nickname
    shown = [str(options[key]) for key in ("use", "name", "model", "path", "revision") if options.get(key)]
    return " ".join(shown) or nickname
