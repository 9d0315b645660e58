"""Every error the package raises on purpose, as a tree.

RatherError
├── InputError        the user's recipe, options or data are wrong         exit 2
│   ├── RecipeError     all faults of a recipe, in one message
│   └── MissingExtra    an optional dependency is not installed
├── RunError          a checked run could not go on                        exit 1
│   ├── StageFailed     a stage raised, failed on every row, or past `max_failed`
│   ├── Unconserved     rows_in + made != rows_out + dropped + failed
│   └── RunLocked       another process works in the run folder
├── BudgetReached     the money, tokens or calls allowed are spent         exit 3
├── RowError          one row cannot be handled; the run goes on
└── CallError         a model call failed
    ├── RateLimited     the endpoint asked to wait; not an attempt
    └── CallRefused     the endpoint will never answer this request
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final


class RatherError(Exception):
    """Cause, place and remedy of a mistake; shown as one short message, never a traceback."""

    exit_code = 1

    def __init__(self, cause: str, *, place: str = "", hint: str = "") -> None:
        self.cause, self.place, self.hint = cause, place, hint
        super().__init__(self.show())

    def show(self) -> str:
        """The message as a person reads it: `place: cause; hint`."""
        head = f"{self.place}: {self.cause}" if self.place else self.cause
        return f"{head}; {self.hint}" if self.hint else head


class InputError(RatherError):
    """The recipe, an option or the data is wrong: nothing has been run."""

    exit_code = 2


@final
@dataclass(frozen=True, order=True)
class Fault:
    """One mistake in a recipe, with the line it stands on (1-based, 0 = the whole file); no file = a verb's own."""

    line: int
    cause: str
    hint: str = ""
    file: str = ""

    def show(self) -> str:
        """`file:line: cause; hint`, the form editors jump to."""
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " * bool(self.file)
        return f"{place}{self.cause}" + (f"; {self.hint}" if self.hint else "")


@final
class RecipeError(InputError):
    """Every fault of a recipe at once, in the order of its lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(fault.show() for fault in self.faults))


@final
class MissingExtra(InputError):
    """An optional dependency is missing; the message carries the pip line that brings it."""

    def __init__(self, what: str, extra: str, *, place: str = "") -> None:
        hint = f"install it with: pip install 'rather[{extra}]'"
        super().__init__(f"{what} is not installed", place=place, hint=hint)


class RunError(RatherError):
    """A checked run could not go on; what is finished stays and is reused."""


@final
class StageFailed(RunError):
    """A stage raised, failed on every row, or failed more rows than the recipe allows."""


@final
class Unconserved(RunError):
    """A stage lost or invented rows: a bug of the stage, never of the data."""


@final
class RunLocked(RunError):
    """Another process is at work in the same run folder."""


@final
class BudgetReached(RatherError):
    """The calls, tokens or money allowed are spent; the same command with more goes on."""

    exit_code = 3


@final
class RowError(RatherError):
    """One row cannot be handled: it is entered as failed and the run goes on."""


class CallError(RatherError):
    """A model call failed and was given up."""


@final
class RateLimited(CallError):
    """The endpoint asked to wait `retry_after` seconds; this is not an attempt."""

    def __init__(self, cause: str = "the endpoint is busy", *, retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(cause)


@final
class CallRefused(CallError):
    """The endpoint will not answer this request however often it is sent."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint naming the nearest of `known`, or all of them when few and none is near."""
    options = sorted(set(known))
    near = difflib.get_close_matches(name, options, n=2, cutoff=0.6)
    tail = [option for option in options if option.rpartition(".")[2] == name]
    if near or tail:
        return f"did you mean {' or '.join(dict.fromkeys(near + tail))}?"
    return f"known: {', '.join(options)}" if 0 < len(options) <= 12 else ""


def describe(error: BaseException) -> str:
    """An error as one line for the ledger of failures."""
    if isinstance(error, RatherError):
        return error.show()
    return f"{type(error).__name__}: {error}".splitlines()[0]
