"""Models of one family, told by their names: a judge agrees too easily with its own kin."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Final

_LAST: Final = re.compile(r"[^\s/]+\Z")
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def family(name: str) -> str:
    """The first letters of a model's own name, without its maker: qwen of `openai Qwen/Qwen2.5-72B`, gpt of gpt-4o.

    A guess: makers give names of their own to models of one descent, and users to endpoints.
    """
    last = _LAST.search(name.strip())
    own = last[0].casefold() if last else ""
    letters = _LETTERS.match(own)
    return letters[0] if letters else own


@lru_cache(maxsize=256)
def kin_among(stage: str, judge: str, others: tuple[str, ...]) -> int:
    """How many of the others are of the judge's family, itself included; where there are, a warning, once."""
    kin = [name for name in others if family(name) == family(judge)]
    if kin:
        logging.getLogger("rather.synth").warning(
            "%s: the judge %s is of one family with %s: kin agree too easily; name models of different makers",
            stage, judge, ", ".join(dict.fromkeys(kin)),
        )  # fmt: skip
    return len(kin)
