"""`synth.critique_revise`: criticise an answer, revise it, and so on; what is later is better."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.asking import request
from ..models.pictures import Part
from ..models.verdict import Outcome
from .making import TEMPLATES, Writer, answer, answer_of, made_by, pictures_of, prompt_of
from .overlap import words_of

_NOTHING: Final = re.compile(r"\A\W*nothing to (?:improve|change)\W*\Z", re.IGNORECASE)


@final
@dataclass
class _Chain:
    """Answers y0, y1, …, y0 as it was given, and the critique that led from each to the next; why it ended."""

    answers: list[str]
    given: Row | None = None
    critiques: list[str] = field(default_factory=list)
    end: str = "rounds"


@final
@register("synth.critique_revise")
class CritiqueRevise(Map):
    """Let a critic find faults in an answer and a writer mend them, `rounds` times in a chain y0 … yk.

    The chain ends early when the critic finds nothing, the revision changes no word or a reply is
    unsound. Pairs prefer a revision to y0 and, with `adjacent`, to the answer it revised. Have them
    confirmed by `synth.confirm_worse`: neighbours differ little, and revisions grow longer. CnR, 2023.
    """

    reads = ("prompt", "{answer}", "images?")
    writes = (
        Column("prompt", "with training rows, what the critic or the reviser saw"),
        Column("chosen", "the later answer; with training rows, the critique or the revision"),
        Column("rejected", "the earlier answer; null with training rows"),
        Column("verdict", "prefer; null with training rows"),
        Column("critique", "the last critique before the chosen answer"),
        Column("kind", "pair, critique or revision", pa.string()),
        Column("revision", "number of the chosen answer in the chain, y0 being 0", pa.int32()),
        Column("revised", "number of the rejected answer, or of the one criticised", pa.int32()),
        Column("chain", "y0 … yk", pa.list_(pa.string())),
        Column("chain_end", "rounds, nothing found, unchanged, or how a reply ended", pa.string()),
        Column("word_ratio", "words of the later answer by those of the earlier", pa.float64(), "ratio", 0.0),
    )
    paper = "Critique-and-Revise (CnR), data-efficient alignment with critiques and revisions"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who drafts and revises."""
    critic: Annotated[str | None, ModelOf("chat")] = None
    """Who criticises; null = the writer."""
    answer: str | None = "chosen"
    """Column with the first answer; null = the writer drafts one."""
    rounds: Annotated[int, Field(ge=1, le=5)] = 3
    """Most revisions."""
    pairs: tuple[Literal["first", "adjacent"], ...] = ("first",)
    """Which pairs are made: each revision over y0, each over the answer it revised, or both."""
    emit: Literal["pairs", "training"] = "pairs"
    """Pairs, or two rows a revision to train on: what was seen → critique, and with it → revision."""
    prompts: str = "critique_revise"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        if self.emit == "pairs" and not self.pairs:
            found.append("pairs is empty: name first, adjacent or both")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0 * self.rounds + (self.answer is None)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        critic = Writer(ctx.models[self.critic or self.writer], self.prompts, self.temperature, self.max_tokens)
        prompt, pictures = prompt_of(row), pictures_of(row)
        if self.answer is None:
            first = await writer.says("draft", {"prompt": prompt}, pictures=pictures)
        else:
            first = answer_of(row, self.answer)
        chain = _Chain([first], row[self.answer] if self.answer else None)
        await self._prolong(chain, writer, critic, prompt, pictures)
        if len(chain.answers) == 1:
            raise Dropped(f"no revision: {chain.end}")
        shared = {"chain": chain.answers, "chain_end": chain.end}
        rows = (
            self._pairs(chain, writer, critic)
            if self.emit == "pairs"
            else self._training(chain, prompt, writer, critic)
        )
        return [shared | made for made in rows]

    async def _prolong(
        self, chain: _Chain, writer: Writer, critic: Writer, prompt: str, pictures: Sequence[Part]
    ) -> None:
        for _ in range(self.rounds):
            values = {"prompt": prompt, "answer": chain.answers[-1]}
            critique = await critic.verdict("critique", values, pictures=pictures)
            if not critique.ok or _NOTHING.match(critique.value):
                chain.end = "nothing found" if critique.ok else f"critique {critique.outcome}"
                break
            revised = await writer.verdict("revise", values | {"critique": critique.value}, pictures=pictures)
            if not revised.ok or words_of(revised.value) == words_of(chain.answers[-1]):
                chain.end = "unchanged" if revised.outcome is Outcome.OK else f"revision {revised.outcome}"
                break
            chain.answers.append(revised.value)
            chain.critiques.append(critique.value)

    def _pairs(self, chain: _Chain, writer: Writer, critic: Writer) -> list[Row]:
        places = [(i, 0) for i in range(1, len(chain.answers)) if "first" in self.pairs]
        if "adjacent" in self.pairs:
            places += [(i, i - 1) for i in range(1, len(chain.answers)) if (i, i - 1) not in places]
        return [
            self._placed(chain, later, earlier) | {
                "chosen": self._answer(chain, later, writer), "rejected": self._answer(chain, earlier, writer),
                "verdict": "prefer", "critique": _critique(chain, later, critic), "kind": "pair",
            }
            for later, earlier in places
        ]  # fmt: skip

    def _training(self, chain: _Chain, prompt: str, writer: Writer, critic: Writer) -> list[Row]:
        rows: list[Row] = []
        for later, critique in enumerate(chain.critiques, 1):
            values = {"prompt": prompt, "answer": chain.answers[later - 1], "critique": critique}
            texts = (("critique", "critique", critique, critic), ("revision", "revise", chain.answers[later], writer))
            for kind, part, text, by in texts:
                origin = made_by(self.name, part, {"round": later}, by.model.name, None)
                asked = request(TEMPLATES.load(self.prompts, part), values)["messages"]
                rows.append(
                    self._placed(chain, later, later - 1) | {
                        "prompt": asked, "chosen": answer(text, origin), "rejected": None, "verdict": None,
                        "critique": _critique(chain, later, critic), "kind": kind,
                    }
                )  # fmt: skip
        return rows

    def _placed(self, chain: _Chain, later: int, earlier: int) -> Row:
        sizes = [max(len(words_of(chain.answers[i])), 1) for i in (later, earlier)]
        return {"revision": later, "revised": earlier, "word_ratio": sizes[0] / sizes[1]}

    def _answer(self, chain: _Chain, place: int, writer: Writer) -> Row:
        if place == 0 and chain.given is not None:
            return chain.given
        method = "revise" if place else "draft"
        return answer(chain.answers[place], made_by(self.name, method, {"round": place}, writer.model.name, None))


def _critique(chain: _Chain, later: int, critic: Writer) -> Row:
    return {"text": chain.critiques[later - 1], "critic": critic.model.name, "score": None, "verdict": "revise"}
