"""Verifiers as an option of stages: `verifier: number`, or with options `verifier: {by: number, tolerance: 0.01}`.

A verifier says right, wrong, or unreadable where the answer names no result that could be compared.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from ..core.errors import did_you_mean
from ..core.stage import Dropped, Row
from .verifiers_code import UnitTests
from .verifiers_text import Formula, Json, Number, Pattern, Text
from .verifying import Verifier

_Name = Literal["number", "formula", "text", "pattern", "json", "tests"]


def _named(value: Any) -> Any:
    given = {"by": value} if isinstance(value, str) else value
    kinds = get_args(_Name)
    if isinstance(given, dict) and given.get("by") not in kinds:
        name = str(given.get("by") or "")
        cause = f"no verifier is called {name}" if name else "it has no `by:`"
        raise ValueError(f"{cause}; {did_you_mean(name, kinds)}")
    return given


_Kinds = Number | Formula | Text | Pattern | Json | UnitTests
_Known = BeforeValidator(_named, json_schema_input_type=_Name | _Kinds)
AnyVerifier = Annotated[_Kinds, Field(discriminator="by"), _Known]
"""An option that names a verifier: `number`, `formula`, `text`, `pattern`, `json` or `tests`."""
MaybeVerifier = Annotated[_Kinds | None, Field(discriminator="by"), _Known]
"""The same, or null."""


def reference_columns(verifier: Verifier | None, column: str) -> tuple[str, ...]:
    """The column of references as a stage reads it: optional where the verifier can do without."""
    return () if verifier is None else (column if verifier.needs_reference else f"{column}?",)


def reference_of(row: Row, column: str, verifier: Verifier) -> Any:
    """The row's reference. Raises Dropped where one is needed and there is none."""
    reference = row.get(column)
    if isinstance(reference, dict) and "text" in reference:
        reference = reference["text"]
    if verifier.needs_reference and (reference is None or not str(reference).strip()):
        raise Dropped("no reference")
    return reference
