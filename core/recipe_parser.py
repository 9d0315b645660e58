"""From YAML text to a `Recipe`: its form is checked here, its meaning in `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, final

from .errors import InputError, RecipeError, did_you_mean
from .recipe import RESERVED, TOP, ModelEntry, Recipe, StageEntry
from .yamlfile import Located, Reader

_MOST_STAGES: Final = 1_000
_LONGEST_NAME: Final = 120  # bytes; names become folders
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
    parser = _Parser(reader)
    settings = {key: setting(reader, key, top.value.get(key)) for key in SETTINGS}
    stages = parser.stages(top.value.get("stages"))
    header = "".join(line for line in text.splitlines(keepends=True)[: _header_lines(text)])
    return Recipe(
        file=file,
        name=settings["name"] or Path(file).stem or "recipe",
        seed=settings["seed"] or 0,
        models=parser.models(top.value.get("models")),
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
    elif key == "name" and (wrong := _wrong_name(item.value)):
        reader.fault(item.line, f"name: {wrong}", "it names the run folder")
    else:
        return item.value
    return None


@final
class _Parser:
    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.entries = 0

    def models(self, item: Located | None) -> tuple[ModelEntry, ...]:
        if item is None or item.value is None:
            return ()
        if not isinstance(item.value, dict):
            self.reader.fault(item.line, "models must be a mapping of nicknames to {use: …}")
            return ()
        found = []
        for nickname, entry in item.value.items():
            if isinstance(entry.value, dict):
                found.append(ModelEntry(nickname, entry.line, entry.value))
            else:
                self.reader.fault(entry.line, f"the model {nickname} must be a mapping with `use:`")
        return tuple(found)

    def stages(self, item: Located | None, suffix: str = "") -> list[StageEntry]:
        if item is None or not isinstance(item.value, list) or not item.value:
            self.reader.fault(item.line if item else 1, "stages must be a list of stages")
            return []
        found: list[StageEntry] = []
        for entry in item.value:
            self.entries += 1
            if self.entries > _MOST_STAGES:
                if self.entries == _MOST_STAGES + 1:
                    self.reader.fault(entry.line, f"more than {_MOST_STAGES:,} stages")
                break
            if not isinstance(entry.value, dict):
                if isinstance(entry.value, str):
                    found.append(StageEntry(entry.value, entry.line, alias=_suffixed(entry.value, None, suffix)))
                else:
                    self.reader.fault(entry.line, "a stage is `- name: {options}`")
            elif "loop" in entry.value:
                found += self.loop(entry, suffix)
            else:
                found += self.entry(entry, suffix)
        return found

    def loop(self, entry: Located, suffix: str) -> list[StageEntry]:
        """`loop: {rounds: N, stages: […]}` unrolled: the k-th round's stages are called `name@k`."""
        body = entry.value["loop"]
        for key in entry.value:
            if key != "loop":
                self.reader.fault(entry.value[key].line, f"{key} cannot stand beside loop", "set it on a stage inside")
        if not isinstance(body.value, dict) or set(body.value) != {"rounds", "stages"}:
            self.reader.fault(body.line, "loop takes exactly {rounds: N, stages: […]}")
            return []
        rounds = body.value["rounds"].value
        if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= 100:
            self.reader.fault(body.value["rounds"].line, "rounds must be a whole number from 1 to 100")
            return []
        found: list[StageEntry] = []
        for k in range(1, rounds + 1):
            if self.entries <= _MOST_STAGES:
                found += self.stages(body.value["stages"], f"{suffix}@{k}")
        return found

    def entry(self, entry: Located, suffix: str) -> list[StageEntry]:
        named = [key for key in entry.value if key not in RESERVED]
        if len(named) != 1:
            cause = "a stage needs a name" if not named else f"one stage an entry, not {len(named)}: {', '.join(named)}"
            self.reader.fault(entry.line, cause, "indent its options under it, or begin a new `- `" if named else "")
            return []
        kind = named[0]
        body = entry.value[kind]
        options = body.value if isinstance(body.value, dict) else {}
        if body.value is not None and not isinstance(body.value, dict):
            self.reader.fault(
                body.line, f"the options of {kind} must be a mapping", f"write - {kind}: {{option: value}}"
            )
        alias = self.text(entry, "as")
        return [
            StageEntry(
                kind=kind,
                line=body.line,
                options=options,
                alias=_suffixed(kind, alias, suffix),
                condition=self.condition(entry),
                until_rows=self.until(entry),
                inputs=self.inputs(entry),
            )
        ]

    def text(self, entry: Located, key: str) -> str | None:
        item = entry.value.get(key)
        if item is None:
            return None
        if not isinstance(item.value, str) or not item.value:
            self.reader.fault(item.line, f"{key} must be a name")
            return None
        if wrong := _wrong_alias(item.value):
            self.reader.fault(item.line, f"{key}: {wrong}")
            return None
        return item.value

    def condition(self, entry: Located) -> str | bool | None:
        item = entry.value.get("if")
        if item is None:
            return None
        if not isinstance(item.value, (str, bool)):
            self.reader.fault(item.line, "if takes gpu, `env NAME`, `extra NAME`, true or false, or `not …`")
            return None
        return item.value

    def until(self, entry: Located) -> int | None:
        item = entry.value.get("until")
        if item is None:
            return None
        rows = item.value.get("rows") if isinstance(item.value, dict) and set(item.value) == {"rows"} else None
        if rows is None or not isinstance(rows.value, int) or isinstance(rows.value, bool) or rows.value < 1:
            self.reader.fault(item.line, "until takes {rows: N} with N at least 1")
            return None
        return int(rows.value)

    def inputs(self, entry: Located) -> tuple[str, ...] | None:
        item = entry.value.get("inputs")
        if item is None:
            return None
        names = item.value if isinstance(item.value, list) else [item]
        if not names or not all(isinstance(name.value, str) for name in names):
            self.reader.fault(item.line, "inputs is a list of names of earlier stages")
            return None
        return tuple(name.value for name in names)


def _wrong_name(name: str) -> str:
    if "/" in name or "\\" in name or name in (".", ".."):
        return "a name has no slashes, and is not . or .."
    return _wrong_alias(name)


def _wrong_alias(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        return "a name is one line of printable characters"
    too_long = len(name.encode()) > _LONGEST_NAME
    return f"a name has at most {_LONGEST_NAME} bytes" if too_long else ""


def _suffixed(kind: str, alias: str | None, suffix: str) -> str | None:
    return f"{alias or kind}{suffix}" if suffix else alias


def _header_lines(text: str) -> int:
    count = 0
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        count += 1
    return count


def _kind_name(kind: Any) -> str:
    return {str: "text", int: "a whole number"}.get(kind, "a number")
