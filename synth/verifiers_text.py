"""Verifiers that read: numbers, formulas, texts, patterns, JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field

from ..core.final_answer import final_answer, marked_answer, plain
from ..core.quantities import Quantity, plain_formula, quantities, quantity, same_quantity
from ..models.json_schema import fault_of
from ..models.loose_json import loose_json
from .verifying import Finding, Verifier


@final
class Number(Verifier):
    """The number an answer comes to: in `\\boxed{}`, after `####` or `the answer is`, else the last one."""

    by: Literal["number"] = "number"
    """Which verifier."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 1e-6
    """Largest difference, as a share of the reference."""

    async def verify(self, answer: str, reference: Any) -> Finding:
        aim, found = _number(str(reference)), _number(answer)
        if aim is None or found is None:
            return Finding("unreadable", f"no number in the {'reference' if aim is None else 'answer'}")
        right = same_quantity(found, aim, self.tolerance)
        return Finding("right") if right else Finding("wrong", f"{found.value!s:.40} is not {aim.value!s:.40}")


@final
class Formula(Verifier):
    """The final answer as a formula: the same after LaTeX's spacing and synonyms, or the same number."""

    by: Literal["formula"] = "formula"
    """Which verifier."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 1e-6
    """Largest difference where both are numbers, as a share of the reference."""

    async def verify(self, answer: str, reference: Any) -> Finding:
        aim = plain_formula(marked_answer(str(reference)) or str(reference))
        found = plain_formula(marked_answer(answer) or final_answer(answer))
        if not aim or not found:
            return Finding("unreadable", "no final answer")
        one, other = quantity(found), quantity(aim)
        same = found == aim or (one is not None and other is not None and same_quantity(one, other, self.tolerance))
        return Finding("right") if same else Finding("wrong", f"{found[:60]} is not {aim[:60]}")


@final
class Text(Verifier):
    """The final answer's words: equal to the reference, or holding it; case and edges do not count."""

    by: Literal["text"] = "text"
    """Which verifier."""
    within: bool = False
    """Whether it is enough that the reference stands somewhere in the answer, as whole words."""

    async def verify(self, answer: str, reference: Any) -> Finding:
        aims = [plain(str(one)) for one in (reference if isinstance(reference, (list, tuple)) else [reference])]
        said = plain(answer) if self.within else plain(marked_answer(answer) or answer)
        if not any(aims) or not said:
            return Finding("unreadable", "nothing to compare")
        holds = (re.search(rf"(?<!\w){re.escape(aim)}(?!\w)", said) for aim in aims if aim)
        right = any(holds) if self.within else said in aims
        return Finding("right") if right else Finding("wrong", f"{said[:60]} is not {aims[0][:60]}")


@final
class Pattern(Verifier):
    """A regular expression is found in the answer; its first group, if any, must equal the reference."""

    by: Literal["pattern"] = "pattern"
    """Which verifier."""
    pattern: str
    """A regular expression of Python, searched for anywhere; the last match counts."""
    needs_reference: ClassVar[bool] = False

    async def verify(self, answer: str, reference: Any) -> Finding:
        expression = re.compile(self.pattern, re.MULTILINE)
        matches = list(expression.finditer(answer))
        if not expression.groups:
            return Finding("right") if matches else Finding("wrong", "the pattern is not in the answer")
        if not matches or reference is None:
            return Finding("unreadable", "nothing to compare")
        found, aim = plain(matches[-1][1] or ""), plain(str(reference))
        return Finding("right") if found == aim else Finding("wrong", f"{found[:60]} is not {aim[:60]}")

    def faults(self) -> Sequence[str]:
        """What is wrong with the pattern."""
        try:
            re.compile(self.pattern)
        except re.error as error:
            return [f"the verifier's pattern is no regular expression ({error})"]
        return []


@final
class Json(Verifier):
    """JSON that fits a JSON Schema: the one given here, else the reference."""

    by: Literal["json"] = "json"
    """Which verifier."""
    fits: dict[str, Any] = {}
    """The schema; empty = each row's reference, as JSON."""
    needs_reference: ClassVar[bool] = False

    async def verify(self, answer: str, reference: Any) -> Finding:
        try:
            schema = self.fits or loose_json(str(reference), repair=False)
        except ValueError:
            return Finding("unreadable", "no schema")
        try:
            value = loose_json(answer, repair=False)
        except (ValueError, RecursionError):
            return Finding("wrong", "no JSON")
        fault = fault_of(value, schema)
        return Finding("wrong", fault) if fault else Finding("right")


def _number(text: str) -> Quantity | None:
    marked = marked_answer(text)
    if marked is not None:
        first = next(quantities(marked.rpartition("=")[2]), None)
        if first is not None:
            return first
    found = list(quantities(text))
    return found[-1] if found else None
