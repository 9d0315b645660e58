"""`synth.self_contrast`: answers from several perspectives, their differences, a checklist, a revision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.pictures import Part
from ..models.readers import read_json
from .listing import listed, texts_in
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, prompt_of, together
from .medoids import medoids

_NUMBERS = listed({"type": "integer"}, least=0)


@final
@dataclass(frozen=True)
class _Asked:
    """Who is asked, and about which prompt."""

    writer: Writer
    prompt: str
    pictures: Sequence[Part]

    async def items(self, part: str, least: int = 0, **values: Any) -> list[str]:
        """The items of a listed reply to one part of the template."""
        schema = listed(least=least)
        asked = {"prompt": self.prompt, **values}
        return texts_in(await self.writer.says(part, asked, read_json(schema), schema=schema, pictures=self.pictures))


@final
@register("synth.self_contrast")
class SelfContrast(Map):
    """Answer from several perspectives, contrast the answers that differ most, and revise by a checklist.

    The answers are clustered by k-medoids; the medoids are compared two by two, their differences become
    a checklist, and one answer is written that meets it. It is preferred to each medoid that fails an item.
    The checklist is kept as a `rubric`. A revision may be worse than the majority: confirm the pairs.
    Self-Contrast (Zhang et al., 2024).
    """

    reads = ("prompt", "images?")
    writes = (
        Column("chosen", "the answer revised by the checklist"),
        Column("rejected", "an answer that fails an item of the checklist"),
        Column("verdict", "always prefer"),
        Column("rubric", "the checklist, an item a criterion"),
        Column("failed_items", "numbers, from 1, of the items the rejected answer fails", pa.list_(pa.int32())),
        Column("perspectives", "ways of answering", pa.list_(pa.string())),
        Column("differences", "how the answers differ", pa.list_(pa.string())),
        Column(
            "disagreement", "share of contrasted answers between which a difference was found", pa.float64(),
            "share", 0, 1, "lower: the model is sure of its answer",
        ),
        Column("answer_share", "share of all answers nearest to the rejected one", pa.float64(), "share", 0, 1),
    )  # fmt: skip
    paper = "Self-Contrast, arXiv 2401.02009 (pairs by checklist: house)"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who answers, contrasts and revises."""
    encoder: Annotated[str, ModelOf("text_encoder")] = "static"
    """By which answers are clustered."""
    perspectives: Annotated[int, Field(ge=2, le=16)] = 5
    """Perspectives asked for; an answer is written under each."""
    clusters: Annotated[int, Field(ge=2, le=6)] = 3
    """Answers that are contrasted, the medoids of so many clusters."""
    prompts: str = "self_contrast"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of answers."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        if self.clusters > self.perspectives:
            found.append(f"clusters ({self.clusters}) are more than perspectives ({self.perspectives})")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + self.perspectives + self.clusters * (self.clusters - 1) / 2 + 2 + self.clusters

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        asked = _Asked(writer, prompt_of(row), pictures_of(row))
        views = (await asked.items("perspectives", 2, n=self.perspectives))[: self.perspectives]
        answers = await self._answers(asked, views)
        vectors = await asyncio.to_thread(ctx.models[self.encoder].encode, answers)
        places, nearest = medoids(vectors, self.clusters)
        differences, disagreement = await self._differences(asked, [answers[i] for i in places])
        checklist = await asked.items("checklist", 1, differences=differences)
        values = {"prompt": asked.prompt, "answers": [answers[i] for i in places], "checklist": checklist}
        revised: str = await writer.says("revise", values, pictures=asked.pictures)
        failed = await together(*(self._failed(asked, answers[i], checklist) for i in places))
        if not any(failed):
            raise Dropped("every answer meets the checklist", {"disagreement": disagreement})
        shared = {
            "verdict": "prefer", "perspectives": views, "differences": differences, "disagreement": disagreement,
            "rubric": _rubric(checklist),
            "chosen": answer(revised, made_by(self.name, "revise", {}, writer.model.name, None)),
        }  # fmt: skip
        made = [made_by(self.name, "perspective", {"perspective": view}, writer.model.name, None) for view in views]
        return [
            shared | {
                "failed_items": items, "answer_share": float((nearest == k).mean()),
                "rejected": answer(answers[place], made[place]),
            }
            for k, (place, items) in enumerate(zip(places, failed, strict=True))
            if items
        ]  # fmt: skip

    async def _answers(self, asked: _Asked, views: Sequence[str]) -> list[str]:
        told = (
            asked.writer.says("answer", {"prompt": asked.prompt, "perspective": view}, pictures=asked.pictures)
            for view in views
        )
        return await together(*told)

    async def _differences(self, asked: _Asked, answers: Sequence[str]) -> tuple[list[str], float]:
        """All differences found, and the share of pairs with one. Raises Dropped when there is none."""
        found = await together(
            *(asked.items("contrast", first=one, second=other) for one, other in combinations(answers, 2))
        )
        differences = list(dict.fromkeys(item for items in found for item in items))
        if not differences:
            raise Dropped("no difference between the answers", {"disagreement": 0.0})
        return differences, sum(map(bool, found)) / len(found)

    async def _failed(self, asked: _Asked, text: str, checklist: Sequence[str]) -> list[int]:
        values = {"prompt": asked.prompt, "answer": text, "checklist": checklist}
        said = await asked.writer.says(
            "check", values, read_json(_NUMBERS), schema=_NUMBERS, temperature=0.0, pictures=asked.pictures
        )
        return sorted({n for n in said["items"] if 1 <= n <= len(checklist)})


def _rubric(checklist: Sequence[str]) -> list[Row]:
    """The checklist as a `rubric` value, each item a principle."""
    return [
        {"id": f"c{k}", "criterion": item, "weight": None, "kind": "principle"} for k, item in enumerate(checklist, 1)
    ]
