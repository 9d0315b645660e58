"""`rather list`, `show` and `copy`: what there is and what it does."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..core import registry
from ..core.errors import InputError, did_you_mean
from ..core.recipe_parser import read_recipe
from ..core.stage import Stage
from .api import find_recipe, shipped_recipes


def print_list(what: str, plugins: Sequence[str]) -> None:
    """A line each: stages, recipes, models or formats."""
    for plugin in plugins:
        registry.load_plugin(plugin)
    kinds = {"stages": _stages, "recipes": _recipes, "models": _models, "formats": _formats}
    if what not in kinds:
        raise InputError(f"nothing called {what} to list", hint=did_you_mean(what, kinds))
    lines = list(kinds[what]())
    width = max((len(name) for name, _, _ in lines), default=0)
    for name, kind, text in lines:
        print(f"{name:<{width}}  {kind:<13} {text}")


def print_one(name: str, plugins: Sequence[str]) -> None:
    """Everything about a stage, a recipe or a model."""
    for plugin in plugins:
        registry.load_plugin(plugin)
    if name in registry.stages():
        print(_stage_page(registry.stages()[name]))
    elif name in registry.models():
        spec = registry.models()[name]
        print(f"{name} ({spec.kind})\n\n{inspect.getdoc(spec)}\n\n{_options(spec)}")
    elif name in shipped_recipes() or Path(name).is_file():
        print(find_recipe(name).read_text(encoding="utf-8"), end="")
    else:
        known = [*registry.stages(), *registry.models(), *shipped_recipes()]
        raise InputError(f"nothing called {name}", hint=did_you_mean(name, known) or "see: rather list")


def copy_recipe(name: str, file: Path | None) -> None:
    """Copy a shipped recipe; an existing file is not written over."""
    source = find_recipe(name)
    target = file or Path(f"{source.stem}.yaml")
    if target.is_dir():
        target = target / source.name
    if target.exists():
        raise InputError("the file exists", place=str(target), hint="give another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    print(target)


def _stages() -> Iterable[tuple[str, str, str]]:
    for name, cls in registry.stages().items():
        yield name, cls.shape, first_sentence(cls)


def _models() -> Iterable[tuple[str, str, str]]:
    for name, spec in registry.models().items():
        yield name, spec.kind, first_sentence(spec)


def _recipes() -> Iterable[tuple[str, str, str]]:
    for name, path in shipped_recipes().items():
        header = read_recipe(path).header.lstrip("# ").splitlines()
        yield name, "recipe", header[0] if header else ""


def _formats() -> Iterable[tuple[str, str, str]]:
    from ..formats.dialects import DIALECTS

    for name, cls in registry.stages().items():
        if cls.shape == "source":
            yield name, "read", first_sentence(cls)
    for name, dialect in sorted(DIALECTS.items()):
        yield name, "write", dialect.doc


def _stage_page(cls: type[Stage]) -> str:
    columns = [column if not isinstance(column, str) else None for column in cls.writes]
    writes = [f"  {c.name}: {c.doc}{_scale(c)}" for c in columns if c is not None]
    writes += [f"  {column}" for column in cls.writes if isinstance(column, str)]
    parts = [f"{cls.name} ({cls.shape})", inspect.getdoc(cls) or "", _options(cls)]
    parts += [
        f"reads: {', '.join(cls.reads) or 'nothing'}",
        "writes:\n" + "\n".join(writes) if writes else "writes: nothing",
    ]
    parts += [f"paper: {cls.paper}"] + [f"needs: pip install 'rather[{cls.extra}]'"] * bool(cls.extra)
    return "\n\n".join(parts)


def _scale(column: Any) -> str:
    low, high = column.low, column.high
    span = (
        f"{'-∞' if low is None else low} … {'∞' if high is None else high}"
        if low is not None or high is not None
        else ""
    )
    told = ", ".join(part for part in (column.unit, span, column.better) if part)
    return f" [{told}]" if told else ""


def _options(cls: Any) -> str:
    lines = []
    for name, info in cls.model_fields.items():
        default = "required" if info.is_required() else f"= {info.get_default(call_default_factory=True)!r}"
        kind = (
            str(info.annotation).replace("typing.", "")
            if hasattr(info.annotation, "__args__")
            else info.annotation.__name__
        )
        lines.append(f"  {name}: {kind} {default}\n      {' '.join((info.description or '').split())}".rstrip())
    return "options:\n" + "\n".join(lines) if lines else "options: none"


def first_sentence(thing: Any) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".") + "." * bool(paragraph)
