"""The list of stages of a recipe, as entries: their form, with loops unrolled."""

from __future__ import annotations

from typing import Final, final

from .recipe import RESERVED, StageEntry
from .yamlfile import Located, Reader

_MOST_STAGES: Final = 1_000
_LONGEST_NAME: Final = 120  # bytes; names become folders
IF_TAKES: Final = "if takes gpu, `env NAME`, `extra NAME`, `model NAME`, true or false, or `not …`"


@final
class StageParser:
    """Reads `stages:`; what is wrong with their form goes to the reader's faults."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.entries = 0

    def stages(self, item: Located | None, suffix: str = "") -> list[StageEntry]:
        """The entries of a list of stages, loops unrolled; `suffix` ends the names of those in a loop."""
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
        if wrong := wrong_name(item.value):
            self.reader.fault(item.line, f"{key}: {wrong}")
            return None
        return item.value

    def condition(self, entry: Located) -> str | bool | None:
        item = entry.value.get("if")
        if item is None:
            return None
        if not isinstance(item.value, (str, bool)):
            self.reader.fault(item.line, IF_TAKES)
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


def wrong_name(name: str) -> str:
    """What is wrong with a name; empty when nothing is."""
    if not name.isprintable() or name != name.strip():
        return "a name is one line of printable characters"
    too_long = len(name.encode()) > _LONGEST_NAME
    return f"a name has at most {_LONGEST_NAME} bytes" if too_long else ""


def _suffixed(kind: str, alias: str | None, suffix: str) -> str | None:
    return f"{alias or kind}{suffix}" if suffix else alias
