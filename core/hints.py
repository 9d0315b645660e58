"""What a fault says beside its cause: the nearest name, who writes a column; and whether an `if:` holds."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args, get_origin

from . import registry
from .errors import Fault, MissingExtra, RecipeError, did_you_mean
from .row import SYSTEM
from .yamlfile import expand


def holds(condition: str | bool, models: Collection[str] = ()) -> bool:
    """Whether an `if:` is true here: gpu, `env NAME`, `extra NAME`, `model NAME`, true, false, or `not …` of these.

    `models` are the nicknames the recipe gives.
    """
    if isinstance(condition, bool):
        return condition
    missing: set[str] = set()
    words = str(expand(condition, missing)).split()
    nots = next((k for k, word in enumerate(words) if word != "not"), len(words))
    if nots:
        return holds(" ".join(words[nots:]), models) != bool(nots % 2)
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
            return importable(module)
        case ["model", nickname]:
            return nickname in models
    hint = "it takes gpu, env NAME, extra MODULE, model NICKNAME, true, false, or `not …`"
    raise RecipeError([Fault(0, f"if: {condition} is not understood", hint)])


def marks_of(info: Any) -> list[Any]:
    """Marks of a field, also those inside unions and lists."""
    found = list(info.metadata)
    stack = [info.annotation]
    while stack:
        kind = stack.pop()
        if get_origin(kind) is not None:
            found += list(getattr(kind, "__metadata__", ()))
            stack += [arg for arg in get_args(kind) if not isinstance(arg, str)]
    return found


def help_of(cls: Any, option: str) -> str:
    """The first line of an option's help."""
    info = cls.model_fields.get(option)
    return (info.description or "").split("\n")[0].rstrip(".") if info is not None else ""


def who_writes(name: str, columns: set[str]) -> str:
    """Which stages write a column, else the nearest column there is."""
    writers = sorted(
        n for n, cls in registry.stages().items() if any(getattr(c, "name", c) == name for c in cls.writes)
    )
    near = did_you_mean(name, columns - set(SYSTEM)) if not writers else ""
    return (
        f"{' or '.join(writers[:3])} writes it"
        if writers
        else near or f"columns here: {', '.join(sorted(columns - set(SYSTEM))[:14])}"
    )


def importable(module: str) -> bool:
    """Whether a module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent that is missing, or no module name at all
        return False


def require(module: str, extra: str) -> None:
    """Raise `MissingExtra` unless `module` can be imported."""
    if not importable(module):
        raise MissingExtra(module, extra)


def exists(path: Path) -> bool:
    """Whether a path is there; a name that no file can have is not."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def reason_of(error: Exception) -> str:
    """An unexpected error in one line."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return told or (str(error).splitlines() or [""])[0] or type(error).__name__


def near_file(path: Path) -> str:
    """The nearest name in the folder of a missing file."""
    folder = path.parent
    if not exists(folder):
        return f"the folder {folder} does not exist either"
    if not folder.is_dir():
        return f"{folder} is a file, not a folder"
    return did_you_mean(path.name, [p.name for p in list(folder.iterdir())[:500]])


def lowered(message: str) -> str:
    """A message that begins small, to stand behind a colon."""
    return message[:1].lower() + message[1:]
