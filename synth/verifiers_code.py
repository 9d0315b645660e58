"""The verifier that runs an answer's program against tests, shut in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field

from ..core.errors import StageFailed
from .sandbox import Ended, Limits, run_python, sandbox_fault
from .verifying import Finding, Verifier

_FENCE: Final = re.compile(r"```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_PYTHON: Final = ("python", "py", "python3", "")


@final
class UnitTests(Verifier):
    """The longest Python block of the answer, followed by the reference's tests, runs to its end, shut in.

    Tests are statements that raise when they fail, such as asserts: one text, or a list of them.
    """

    by: Literal["tests"] = "tests"
    """Which verifier."""
    seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Wall time of one answer's tests."""
    memory_mib: Annotated[int, Field(ge=32)] = 512
    """Memory of one process, in MiB."""
    setup: str = ""
    """Python that stands before each answer, such as imports."""

    async def verify(self, answer: str, reference: Any) -> Finding:
        code = python_in(answer)
        if code is None:
            return Finding("unreadable", "no Python in the answer")
        tests = "\n".join(map(str, reference)) if isinstance(reference, (list, tuple)) else str(reference)
        ran = await run_python(f"{self.setup}\n{code}\n\n{tests}", Limits(self.seconds, self.memory_mib))
        if ran.ended is Ended.REFUSED:
            raise StageFailed(f"tests cannot be run safely: {ran.output}", hint="`rather doctor` says what is missing")
        if ran.ended is Ended.PASSED:
            return Finding("right")
        last = ran.output.strip().rpartition("\n")[2]
        return Finding("wrong", f"{ran.ended.value}: {last[:200]}" if last else ran.ended.value)

    def faults(self) -> Sequence[str]:
        """Why this machine cannot run tests safely."""
        fault = sandbox_fault()
        return [fault] if fault else []


def python_in(answer: str) -> str | None:
    """The longest block fenced as Python, else the whole answer when it is Python; None without any."""
    import ast

    blocks: list[str] = [
        code for language, code in _FENCE.findall(answer) if language.lower() in _PYTHON and code.strip()
    ]
    if blocks:
        return max(blocks, key=len)
    try:
        return answer if ast.parse(answer).body else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
