"""`synth.mimic`: for each real record a made one like it, without what is private in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_json
from .listing import TEXT, record
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, sample_seeds
from .overlap import longest_run, ngram_share, words_of
from .personal_data import personal_data, without_personal_data

_OUTLINE = record(kind=TEXT, structure={"type": "array", "items": TEXT, "minItems": 1}, manner=TEXT, quality=TEXT)


@final
@dataclass(frozen=True)
class _Likeness:
    """How near a made record is to the real one; `fault` says what is too near, or too far."""

    cosine: float
    overlap: float
    run: int
    length_ratio: float
    fault: str


@final
@register("synth.mimic")
class Mimic(Map):
    """Describe a real record without its content, then write another one by the description alone.

    The description holds kind, structure, manner and quality level; the writer gets it with the task and a
    length. A made record that shares a long run of words, many n-grams or nearly the whole meaning with the
    real one, has personal data or another length is written anew. The row keeps its prompt, not the real text.
    Synthetic one-to-one mimicry (SAM), 2025.
    """

    reads = ("prompt", "{text}", "{mark}")
    writes = (
        Column("chosen", "the made record"),
        Column("mimic_cosine", "likeness in topic to the real record", pa.float64(), "cosine", -1, 1),
        Column(
            "mimic_overlap",
            "share of its n-grams that stand in the real record, the task's aside",
            pa.float64(),
            "share",
            0,
            1,
        ),
        Column(
            "mimic_run", "longest run of words shared with the real record, the task's aside", pa.int32(), "words", 0
        ),
        Column("mimic_length_ratio", "its words by those of the real record", pa.float64(), "ratio", 0),
        Column("mimic_tries", "records written until one passed", pa.int32()),
        Column("personal_data_found", "finds in the real record, taken out before it was shown", pa.int32()),
    )
    paper = "SAM one-to-one mimicry (SCALEFeedback), 2025 (checks and their limits: house)"

    text: str = "chosen"
    """Column with the real record, as an answer; the made one takes the place of `chosen`."""
    mark: str | None = None
    """Column with the record's mark or level, which the made one is to earn too."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who describes and writes."""
    encoder: Annotated[str, ModelOf("text_encoder")] = "static"
    """By which likeness in topic is measured."""
    tries: Annotated[int, Field(ge=1, le=16)] = 3
    """Most records written for a real one."""
    most_run: Annotated[int, Field(ge=1)] = 9
    """Longest run of words a record may share with the real one, beyond the task's own words."""
    ngram: Annotated[int, Field(ge=1)] = 5
    """Words of an n-gram."""
    most_overlap: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Largest share of n-grams that may stand in the real record."""
    most_cosine: Annotated[float, Field(ge=-1, le=1)] = 0.97
    """Largest cosine with the real record."""
    length_ratio: Annotated[float, Field(ge=1)] = 1.5
    """How many times longer or shorter than the real record it may be."""
    prompts: str = "mimic"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.9
    """Sampling temperature of records; descriptions are written at 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of a record."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + self.tries

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        task, real = without_personal_data(prompt_of(row)), answer_of(row, self.text)
        shown = without_personal_data(real)
        values: dict[str, Any] = {"prompt": task, "mark": row[self.mark] if self.mark else None}
        outline = await writer.says(
            "outline", values | {"record": shown}, read_json(_OUTLINE), schema=_OUTLINE, temperature=0.0
        )
        description = "\n".join([outline["kind"], *outline["structure"], outline["manner"], outline["quality"]])
        if personal_data(description) or longest_run(description, real, task) > self.most_run:
            raise Dropped("the description gives the real record away")
        values |= {"outline": outline, "words": len(words_of(real))}
        for seed in sample_seeds(ctx, self.tries):
            made: str = await writer.says("write", values, seed=seed)
            found = await asyncio.to_thread(self._likeness, ctx.models[self.encoder], made, real, task)
            if not found.fault:
                break
        if found.fault:
            raise Dropped(found.fault, {"mimic_run": found.run, "mimic_overlap": found.overlap})
        origin = made_by(self.name, "write", {"outline": outline}, writer.model.name, seed)
        return [
            {
                "chosen": answer(made, origin), "mimic_cosine": found.cosine, "mimic_overlap": found.overlap,
                "mimic_run": found.run, "mimic_length_ratio": found.length_ratio,
                "mimic_tries": seed - ctx.seed + 1, "personal_data_found": len(personal_data(real)),
            }
            | ({} if self.text == "chosen" else {self.text: None})
        ]  # fmt: skip

    def _likeness(self, encoder: Any, made: str, real: str, task: str) -> _Likeness:
        one, other = encoder.encode([made, real])
        cosine = float(np.clip(one @ other, -1.0, 1.0))
        overlap, run = ngram_share(made, real, self.ngram, task), longest_run(made, real, task)
        ratio = len(words_of(made)) / max(len(words_of(real)), 1)
        faults = (
            (bool(personal_data(made)), "personal data in the record"),
            (run > self.most_run, "too long a run of the real record"),
            (overlap > self.most_overlap, "too many words of the real record"),
            (cosine > self.most_cosine, "too near the real record"),
            (not 1 / self.length_ratio <= ratio <= self.length_ratio, "not of the real record's length"),
        )
        fault = next((reason for holds, reason in faults if holds), "")
        return _Likeness(cosine, overlap, run, ratio, fault)
