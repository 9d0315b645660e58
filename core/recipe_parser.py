"""From YAML text to a `Recipe`: its form is checked here and in `stage_parser`, its meaning in `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .errors import InputError, RecipeError, did_you_mean
from .recipe import TOP, ModelEntry, Recipe
from .stage_parser import StageParser, wrong_name
from .yamlfile import Located, Reader

_SETTINGS: Final[dict[str, tuple[Any, float | None]]] = {
    "name": (str, None),
    "seed": (int, 0),
    "max_failed": ((int, float), 0),
    "batch": (int, 1),
    "workers": (int, 1),
}
SETTINGS: Final = tuple(_SETTINGS)
"""Top-level keys that hold one value."""


def read_recipe(path: Path) -> Recipe:
    """Parse a recipe file; form faults are kept in `.faults` so that all can be shown at once."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError("the recipe is not UTF-8 text", place=str(path)) from error
    except OSError as error:
        raise InputError(f"cannot read the recipe: {error.strerror}", place=str(path)) from error
    return parse_recipe(text, str(path))


def parse_recipe(text: str, file: str = "recipe") -> Recipe:
    """Parse recipe text; raises RecipeError only when there is nothing to go on with."""
    reader = Reader(file)
    top = reader.read(text)
    if top is None or not isinstance(top.value, dict):
        if not reader.faults:
            reader.fault(1, "a recipe is a mapping with `stages:`", "see: rather show quickstart")
        raise RecipeError(reader.faults)
    for key, value in top.value.items():
        if key not in TOP:
            reader.fault(value.line, f"no top-level key called {key}", did_you_mean(key, TOP))
    settings = {key: setting(reader, key, top.value.get(key)) for key in SETTINGS}
    stages = StageParser(reader).stages(top.value.get("stages"))
    header = "".join(line for line in text.splitlines(keepends=True)[: _header_lines(text)])
    return Recipe(
        file=file,
        name=settings["name"] or Path(file).stem or "recipe",
        seed=settings["seed"] or 0,
        models=_models(reader, top.value.get("models")),
        stages=tuple(stages),
        max_failed=settings["max_failed"],
        batch=settings["batch"],
        workers=settings["workers"],
        header=header,
        faults=tuple(reader.faults),
    )


def setting(reader: Reader, key: str, item: Located | None) -> Any:
    """A top-level value, checked; None when it is not given or wrong (a fault says how)."""
    if item is None or item.value is None:
        return None
    kind, least = _SETTINGS[key]
    if not isinstance(item.value, kind) or isinstance(item.value, bool):
        reader.fault(item.line, f"{key} must be {_kind_name(kind)}, not {item.plain()!r:.60}")
    elif least is not None and not least <= item.value < 2**63:
        reader.fault(item.line, f"{key} must be at least {least}" + " and below 2⁶³" * (item.value >= 2**63))
    elif key == "name" and (wrong := _wrong_folder(item.value)):
        reader.fault(item.line, f"name: {wrong}", "it names the run folder")
    else:
        return item.value
    return None


def _models(reader: Reader, item: Located | None) -> tuple[ModelEntry, ...]:
    if item is None or item.value is None:
        return ()
    if not isinstance(item.value, dict):
        reader.fault(item.line, "models must be a mapping of nicknames to {use: …}")
        return ()
    found = []
    for nickname, entry in item.value.items():
        if isinstance(entry.value, dict):
            found.append(ModelEntry(nickname, entry.line, entry.value))
        else:
            reader.fault(entry.line, f"the model {nickname} must be a mapping with `use:`")
    return tuple(found)


def _wrong_folder(name: str) -> str:
    if "/" in name or "\\" in name or name in (".", ".."):
        return "a name has no slashes, and is not . or .."
    return wrong_name(name)


def _header_lines(text: str) -> int:
    count = 0
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        count += 1
    return count


def _kind_name(kind: Any) -> str:
    return {str: "text", int: "a whole number"}.get(kind, "a number")
