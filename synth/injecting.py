"""Putting one error into a worked solution at a known step, and checking that the result comes out wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from ..core.final_answer import final_answer
from ..core.stage import Dropped
from ..models.readers import read_json
from .confirming import Strength
from .listing import TEXT, one_of, record
from .making import Writer
from .verifying import Verifier

ErrorKind = Literal["representation", "planning", "execution"]
ERRORS: Final[Mapping[ErrorKind, str]] = {
    "representation": "a fact, quantity or question of the problem is misread",
    "planning": "the wrong operation, formula or order of steps is chosen",
    "execution": "the plan is right, but a calculation or substitution is done wrongly",
}
"""Kinds of error and what each means."""
DEGREES: Final[Mapping[Strength, str]] = {
    "subtle": "hard to see: only who works the step out again notices",
    "clear": "to be seen by a careful reader of the step",
    "gross": "plain to see at first sight",
}
"""How easily the error is noticed."""

_LINE: Final = re.compile(r"[^\n]*\n\s*|[^\n]+\Z")
_SENTENCE: Final = re.compile(r".+?(?:[.!?](?:\s+|\Z)|\Z)", re.DOTALL)


def pieces_of(text: str) -> list[str]:
    """The steps of a worked solution, its lines, or its sentences when it is one line; joined they are the text."""
    lines = _LINE.findall(text)
    return lines if len(lines) > 1 else _SENTENCE.findall(text)


@final
@dataclass(frozen=True)
class Injected:
    """A spoilt solution: `kept` is what was left as it was, `steps` are the new ones, the first with the error."""

    kept: str
    steps: tuple[str, ...]
    between: str
    number: int
    kind: str
    description: str
    wrong_answer: str

    @property
    def text(self) -> str:
        """The whole spoilt solution."""
        return self.kept + self.between.join(self.steps)

    @property
    def flawed(self) -> str:
        """The spoilt solution up to its error."""
        return self.kept + self.steps[0]


@final
@dataclass(frozen=True)
class Order:
    """The error asked for: at which piece (from 0), of which kind, how easily noticed."""

    at: int
    kind: ErrorKind
    strength: Strength = "clear"


@final
@dataclass(frozen=True)
class Solution:
    """A correct worked solution in pieces, and the result that a spoilt one must not have."""

    prompt: str
    pieces: Sequence[str]
    result: Any

    @property
    def steps(self) -> list[str]:
        """The steps without the space around them."""
        return [piece.strip() for piece in self.pieces]


async def injected(
    writer: Writer, solution: Solution, order: Order, verifier: Verifier, seeds: Sequence[int]
) -> tuple[Injected, int]:
    """The solution spoilt as ordered, and the seed that did it; the first sound one of `seeds`.

    Sound: the reply reports the step asked for, changes it, names the answer its last step has, and the
    verifier calls that wrong. Raises Dropped with what was amiss with the last one.
    """
    schema = record(
        mistake_step={"type": "integer"}, mistake_type=one_of(*ERRORS), steps={"type": "array", "items": dict(TEXT)},
        mistake_description=TEXT, wrong_answer=TEXT,
    )  # fmt: skip
    at, kind = order.at, order.kind
    values = {
        "prompt": solution.prompt, "steps": solution.steps, "kind": kind, "meaning": ERRORS[kind], "number": at + 1,
        "degree": DEGREES[order.strength], "answer": final_answer("".join(solution.pieces)),
    }  # fmt: skip
    fault = ""
    for seed in seeds:
        said = await writer.verdict("inject", values, read_json(schema), schema=schema, seed=seed)
        if not said.ok:
            fault = f"inject: {said.outcome.value}"
            continue
        one = _joined(solution, at, said.value)
        fault = await _fault(one, solution, at, kind, said.value, verifier)
        if not fault:
            return one, seed
    raise Dropped(fault, {"step": at + 1, "kind": kind})


async def _fault(
    one: Injected, solution: Solution, at: int, kind: str, said: Mapping[str, Any], verifier: Verifier
) -> str:
    if said["mistake_step"] != at + 1 or said["mistake_type"] != kind:
        return "another error than the one asked for"
    if not one.steps or " ".join(one.steps[0].split()) == " ".join(solution.pieces[at].split()):
        return "the step was not changed"
    if (await verifier.verify(one.text, solution.result)).result != "wrong":
        return "the error does not change the answer"
    told = await verifier.verify(one.text, one.wrong_answer)
    return "" if told.right else "the wrong answer is not the one reached"


def _joined(solution: Solution, at: int, said: Mapping[str, Any]) -> Injected:
    kept = "".join(solution.pieces[:at])
    space = re.search(r"\s*\Z", solution.pieces[0])
    steps = tuple(str(step).strip() for step in said["steps"] if str(step).strip())
    return Injected(
        kept, steps, (space[0] if space else "") or "\n", at + 1, said["mistake_type"],
        said["mistake_description"].strip(), said["wrong_answer"].strip(),
    )  # fmt: skip


def result_of(text: str, reference: Any) -> Any:
    """What a right solution comes to: the reference where there is one, else the solution's own end."""
    if reference is not None and str(reference).strip():
        return reference
    end = final_answer(text)
    if not end:
        raise Dropped("the solution has no final answer")
    return end
