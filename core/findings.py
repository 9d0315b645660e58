"""The faults found in a recipe, and those of options that do not fit their stage or model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from pydantic import ValidationError

from . import secrets
from .errors import Fault, did_you_mean
from .hints import help_of, importable, lowered
from .yamlfile import expand


@final
@dataclass(frozen=True)
class Findings:
    """Faults of one file, in the order they were found."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, line: int, cause: str, hint: str = "") -> None:
        """One more fault."""
        self.faults.append(Fault(line, cause, hint, self.file))

    def extra(self, line: int, owner: str, needs: Iterable[str], extra: str) -> None:
        """A fault where what `owner` imports is not installed."""
        missing = [module for module in needs if not importable(module)]
        if missing:
            self.fault(line, f"{owner} needs {', '.join(missing)}, not installed", f"pip install 'rather[{extra}]'")

    def validated(self, cls: Any, options: dict[str, Any], lines: Mapping[str, Any], line: int, owner: str) -> Any:
        """The stage or model of these options, or None and a fault for each that is wrong."""
        missing: set[str] = set()
        filled = expand(options, missing)
        for name in sorted(missing):
            self.fault(line, f"{owner} needs the environment variable {name}, which is not set", f"export {name}=…")
        try:
            return cls(**filled) if not missing else None
        except ValidationError as error:
            for detail in error.errors():
                self._option(cls, detail, lines, line, owner)
        except TypeError as error:
            self.fault(line, f"{owner}: {error}")
        return None

    def _option(self, cls: Any, detail: Any, lines: Mapping[str, Any], line: int, owner: str) -> None:
        path = [str(part) for part in detail["loc"]]
        option = path[0] if path else ""
        at = lines[option].line if option in lines and lines[option].line else line
        if detail["type"] == "extra_forbidden" and len(path) == 1:
            self.fault(at, f"{owner} has no option {option}", did_you_mean(option, cls.model_fields))
        elif detail["type"] == "missing":
            self.fault(line, f"{owner} needs the option {'.'.join(path)}", help_of(cls, option))
        else:
            given = secrets.redact(f"{detail.get('input')!r:.60}")
            self.fault(at, f"{owner}.{'.'.join(path)}: {lowered(detail['msg'])} (given {given})", help_of(cls, option))
