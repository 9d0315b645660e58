"""Critiques that end in a corrected solution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from ..core.paid import Reply
from ..models.critiques import Critique, read_critique
from ..models.verdict import Outcome, Reader, Verdict

_MARK: Final = re.compile(r"^[#* \t]{0,20}corrected solution[* \t]{0,20}:?[* \t]{0,20}$", re.IGNORECASE | re.MULTILINE)


@final
@dataclass(frozen=True)
class Corrected:
    """A critique with its correction under it; the correction is null where the answer is called right."""

    text: str
    critique: Critique
    correction: str | None = None

    @property
    def verdict(self) -> str:
        """right or wrong."""
        return str(self.critique.verdict)

    @property
    def labels(self) -> tuple[bool | None, ...]:
        """One truth value a step, null beyond the first wrong one."""
        return self.critique.labels

    @property
    def first_error(self) -> int | None:
        """Number of the first wrong step, from 1."""
        return self.critique.first_error


def read_corrected(steps: int) -> Reader:
    """Steps, a conclusion and, where that says wrong, what stands under `Corrected solution:`; else unparsable."""
    read = read_critique(steps)

    def read_it(reply: Reply) -> Verdict:
        found = read(reply)
        if not found.ok:
            return found
        critique: Critique = found.value
        if critique.verdict == "right":
            body = _MARK.split(critique.text)[0].rstrip()
            return Verdict(Outcome.OK, Corrected(body, critique))
        parts = _MARK.split(critique.text)
        if len(parts) < 2 or not parts[-1].strip():
            return Verdict(Outcome.UNPARSABLE, why=f"no corrected solution: {critique.text[-400:]}")
        return Verdict(Outcome.OK, Corrected(critique.text, critique, parts[-1].strip()))

    return read_it


def changed(before: Sequence[str], after: Sequence[str]) -> float:
    """Share of the steps of `after` that do not stand in `before`, white space and case aside; 0 for no steps."""
    known = {" ".join(step.casefold().split()) for step in before}
    fresh = [" ".join(step.casefold().split()) not in known for step in after]
    return sum(fresh) / len(fresh) if fresh else 0.0
