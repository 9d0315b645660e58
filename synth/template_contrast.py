"""`synth.template_contrast`: minimal pairs from templates, with exact labels and no model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import FileOf
from ..core.errors import InputError
from ..core.hashing import digest
from ..core.registry import register
from ..core.row import ANSWER, text_messages
from ..core.stage import Source
from .making import answer, made_by
from .slot_grammar import PACKAGED, Grammar, read_grammar

_BATCH: Final = 4096
_FACTS: Final = {
    "distractors": pa.int32(),
    "entity": pa.string(),
    "other": pa.string(),
    "attribute": pa.string(),
    "distractor_attribute": pa.string(),
    "form": pa.string(),
}


@final
@register("synth.template_contrast")
class TemplateContrast(Source):
    """Rows from a slot grammar: one person is introduced with a pronoun, others distract, a blank asks for it.

    The right answer has the pronoun of the person the last sentence is about, the wrong one that of
    the other person, in the same form: nothing else differs. Without distractors the wrong pronoun
    appears nowhere. All rows are different, drawn evenly from the grammar, and the same for the same
    options. Distractors are what makes a row harder; there is no margin to aim at. Writes `prompt`,
    `chosen`, `rejected`, `verdict` and what was bound.
    """

    paper = "RUFF, Robust Pronoun Fidelity with English LLMs, arXiv 2404.03134; the templates: house"

    rows: Annotated[int, Field(ge=1)] = 2160
    """How many rows, in equal parts for each number of distractors."""
    distractors: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2, 3, 4, 5)
    """Numbers of distracting sentences: the first names the other person, further ones go on about them."""
    seed: int = 13
    """Which texts of the grammar are taken."""
    grammar: Annotated[str | None, FileOf()] = None
    """A YAML file with a grammar of your own; none = occupations and pronouns."""

    def faults(self) -> Sequence[str]:
        try:
            grammar = self._grammar()
        except InputError as error:
            return [error.show()]
        found = grammar.faults(self.distractors)
        if len(set(self.distractors)) < len(self.distractors):
            found.append("a number of distractors stands twice")
        if not found:
            found += [
                f"the grammar has {grammar.size(d)} texts with {d} distractors, {self._share(k)} are asked for"
                for k, d in enumerate(self.distractors)
                if grammar.size(d) < self._share(k)
            ]
        return found

    def schema_names(self) -> Sequence[str]:
        return ["prompt", "chosen", "rejected", "verdict", *_FACTS]

    def fingerprint(self) -> str:
        return digest(repr(self._grammar()), repr((self.rows, self.distractors, self.seed)))

    def rows_expected(self) -> int | None:
        return self.rows

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        grammar = self._grammar()
        walks = [_walk(grammar.size(d), Random(f"{self.seed} {d}")) for d in self.distractors]
        kinds = len(self.distractors)
        for start in range(0, self.rows, _BATCH):
            places = range(start, min(start + _BATCH, self.rows))
            made = [grammar.text(next(walks[i % kinds]), self.distractors[i % kinds]) for i in places]
            held = {
                "prompt": text_messages(pa.array([one.prompt for one in made])),
                "chosen": pa.array([self._answer(one.chosen, one.attribute) for one in made], ANSWER),
                "rejected": pa.array([self._answer(one.rejected, one.distractor_attribute) for one in made], ANSWER),
                "verdict": pa.array(["prefer"] * len(made)),
                **{name: pa.array([getattr(one, name) for one in made], kind) for name, kind in _FACTS.items()},
            }
            names = [name for name in held if columns is None or name in columns]
            yield pa.table([held[name] for name in names], schema=pa.schema([_field(n, held[n].type) for n in names]))

    def _answer(self, text: str, attribute: str) -> dict[str, object]:
        return answer(text, made_by(self.name, "slot grammar", {"attribute": attribute}, None, self.seed % 2**64))

    def _share(self, k: int) -> int:
        return (self.rows - k + len(self.distractors) - 1) // len(self.distractors)

    def _grammar(self) -> Grammar:
        return read_grammar(PACKAGED if self.grammar is None else Path(self.grammar))


def _field(name: str, kind: pa.DataType) -> pa.Field:
    """The prompt is plain text, which is how trainers then get it."""
    return pa.field(name, kind, metadata={b"form": b"text"} if name == "prompt" else None)


def _walk(size: int, rng: Random) -> Iterator[int]:
    """All numbers below `size`, each once, spread evenly: steps of about the golden section, prime to `size`."""
    step = max(1, round(size * 0.618034) + rng.randrange(max(1, size // 100)))
    while math.gcd(step, size) != 1:
        step += 1
    at = rng.randrange(size)
    while True:
        yield at
        at = (at + step) % size
