"""Names to stages and models. A decorated class is known; no list is edited anywhere.

Built-in modules are found by walking the packages below, and imported when one of their names is asked
for: importing all of them takes a second. Third parties add theirs by the entry point groups
`rather.stages` and `rather.models`, or with `--plugin FILE`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict

from .declared import ModelOf
from .errors import InputError
from .stage import SHAPES, Stage

ROOMS = ("formats", "synth", "filters", "train")
S = TypeVar("S", bound=type[Stage])
M = TypeVar("M", bound="type[ModelSpec]")

_stages: dict[str, type[Stage]] = {}
_models: dict[str, type[ModelSpec]] = {}
_loaded: set[str] = set()
_REGISTERED: Final = re.compile(rb'\n@(register|model)\("([^"\n]+)"\)')
"""Begins with what no line but a decorator's does, so that a source is passed over at the speed of a search."""


class ModelSpec(BaseModel, ABC):
    """How to reach a model: frozen, validated; `load` gives the thing itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    use: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    """What protocol `load()` obeys: text_encoder, image_encoder, image_text_encoder, chat, painter, …"""
    paid: ClassVar[bool] = False
    """True when a call is worth keeping: it goes through the journal, the meter and the throttle."""
    extra: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    unkeyed: ClassVar[frozenset[str]] = frozenset()
    """Fields that do not change an answer (address, secret, timeout, price): left out of keys."""

    @abstractmethod
    def load(self) -> Any:
        """The model, ready to use."""

    def usd_a_call(self) -> float:
        """What one call costs at most, in dollars, for `rather plan`; 0 when free or unknown."""
        return 0.0

    def identity(self) -> dict[str, Any]:
        """What decides an answer: the name it is used by and the keyed fields."""
        return {"use": self.use} | self.model_dump(mode="json", exclude=set(self.unkeyed))


def register(name: str) -> Callable[[S], S]:
    """Give a stage class its name; it must be a direct child of one of the seven shapes."""

    def keep(cls: S) -> S:
        if cls.__base__ not in SHAPES:
            raise TypeError(f"{cls.__name__} must extend one shape directly ({', '.join(s.__name__ for s in SHAPES)})")
        _enter(_stages, name, cls, "stage")
        cls.name = name
        return cls

    return keep


def model(use: str) -> Callable[[M], M]:
    """Give a model spec the name recipes `use` it by."""

    def keep(cls: M) -> M:
        _enter(_models, use, cls, "model")
        cls.use = use
        return cls

    return keep


def stages() -> dict[str, type[Stage]]:
    """Every known stage by name, sorted."""
    _load_all()
    return dict(sorted(_stages.items()))


def models() -> dict[str, type[ModelSpec]]:
    """Every known model spec by the name recipes use, sorted."""
    _load_all()
    return dict(sorted(_models.items()))


def stage(name: str) -> type[Stage] | None:
    """The stage class called `name`, None when there is none; imports no more than it must."""
    _load_one("register", name, _stages)
    return _stages.get(name)


def model_spec(use: str) -> type[ModelSpec] | None:
    """The model spec recipes use by this name, None when there is none."""
    _load_one("model", use, _models)
    return _models.get(use)


def load_plugin(path: str | Path) -> None:
    """Import a user's file so that the stages it registers are known."""
    file = Path(path)
    if not file.is_file():
        raise InputError("no such plugin file", place=str(path), hint="--plugin takes a .py file that registers stages")
    mark = f"plugin:{file.resolve()}"
    if mark in _loaded:
        return
    spec = importlib.util.spec_from_file_location(f"rather_plugin_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"the plugin does not load: {type(error).__name__}: {error}", place=str(path)) from error
    _loaded.add(mark)


def _enter(known: dict[str, Any], name: str, cls: type, what: str) -> None:
    present = known.get(name)
    if present is not None and (present.__module__, present.__qualname__) != (cls.__module__, cls.__qualname__):
        raise TypeError(f"two {what}s are called {name}: {present.__module__} and {cls.__module__}")
    known[name] = cls


def _load_all() -> None:
    if "all" in _loaded:
        return
    _loaded.add("all")
    for module in sorted(_modules()):
        importlib.import_module(module)
    _load_points()


def _load_one(decorator: str, name: str, known: Mapping[str, type]) -> None:
    if name in known:
        return
    module = _places().get((decorator, name))
    if module is not None:
        importlib.import_module(module)
    else:
        _load_points()


@lru_cache(maxsize=1)
def _places() -> dict[tuple[str, str], str]:
    """Where each built-in name is registered, read off the sources without importing them."""
    return {
        (decorator.decode(), name.decode()): module
        for module, file in _modules().items()
        for decorator, name in _REGISTERED.findall(file.read_bytes())
    }


def _modules() -> dict[str, Path]:
    """The modules of the rooms in which stages and models live, with their files."""
    root = __package__.rpartition(".")[0]
    home = Path(__file__).resolve().parent.parent
    return {
        f"{root}.{room}.{file.stem}": file
        for room in ("models", *ROOMS)
        for file in (home / room).glob("*.py")
        if file.stem != "__init__"
    }


def _load_points() -> None:
    if "points" in _loaded:
        return
    _loaded.add("points")
    for group in ("rather.stages", "rather.models"):
        for point in importlib.metadata.entry_points(group=group):
            _load_point(point)


def _load_point(point: importlib.metadata.EntryPoint) -> None:
    try:
        point.load()
    except Exception as error:
        cause = f"the installed plugin {point.value} does not load: {type(error).__name__}: {error}"
        raise InputError(cause, hint="update or uninstall it") from error


def models_of(kind: str) -> Sequence[str]:
    """Names of the registered models that serve where one of this kind is wanted."""
    wanted = ModelOf(kind)
    return [name for name, spec in models().items() if wanted.takes(spec.kind)]
