"""`synth.multi_critique`: several agents criticise, a judge sorts their flaws and writes one critique from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.several import Chats
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.answers import Of, most_answers, sides
from .critique_agents import Crucial, Merged, classified, criticised_by, crucial, merged, net_severity
from .critique_records import ABOUT, Subject, critic_prompt, critique_value, question_of, subjects
from .critique_units import SPANS, UNIT, Unit, located, told
from .kin import kin_among
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, sample_seeds, together, tried

Listed = tuple[str, Sequence[Unit]]
CRITERIA: Final = pa.list_(pa.struct([("name", pa.string()), ("details", pa.list_(pa.string()))]))


@final
@register("synth.multi_critique")
class MultiCritique(Map):
    """Have k agents list the flaws of a response, label each flaw, drop the faulty ones and merge the rest.

    Task, criteria and a reference response are written once for each prompt and stand in all later
    prompts. The new `chosen` is the merged critique with its score; `candidates` are the agents' own
    critiques, and `agent_quality` (severity of correct flaws less that of faulty ones) ranks them, so that
    `pair.extremes` and `synth.critique_marv` make preference pairs of critiques. Agents and judge should
    not be of one family, for kin agree too easily: `agents_kin` counts those that are, by name, and a warning tells.
    """

    reads = ("prompt", "images?")
    writes = (
        "prompt",
        "candidates",
        "chosen",
        "rejected",
        "verdict",
        "critique",
        *ABOUT,
        *SPANS,
        Column("task_description", "what the prompt asks for", pa.string()),
        Column("criteria", "what a response is to be judged by, in two levels", CRITERIA),
        Column("reference_response", "a response to compare with, by the judge", pa.string()),
        Column("agents", "who wrote each candidate", pa.list_(pa.string())),
        Column("agents_kin", "how many of these are of the judge's family", pa.int32(), "agents", 0, None, "lower"),
        Column(
            "agent_quality", "severity of the flaws found correct less that of the others, of each candidate",
            pa.list_(pa.float64()), "severity", None, None, "higher",
        ),
        Column("agent_units", "all flaws with their labels", pa.list_(UNIT)),
    )  # fmt: skip
    paper = "MultiCritique, arXiv 2410.15287; the labels and agent_quality: house"

    of: Of = "chosen"
    """Which responses are criticised: the chosen one, both of a pair, or every candidate."""
    most: Annotated[int, Field(ge=1)] = 4
    """Most responses of a row, the first ones."""
    agents: Chats = ("writer",)
    """The critics; the paper has four of different makers."""
    n: Annotated[int, Field(ge=1, le=16)] = 1
    """Critiques by each agent."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Who writes the crucial information, labels the flaws and merges them."""
    prompts: str = "multi_critique"
    """Templates of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of the agents; the judge is asked at 0."""
    max_tokens: Annotated[int, Field(ge=16)] = 2048
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, "critique_record")

    def columns_read(self) -> tuple[str, ...]:
        return (*Map.columns_read(self), *sides(self.of))

    def calls_a_row(self) -> float:
        responses = min(most_answers(self.of, self.most), self.most)
        return 1.0 + responses * (len(self.agents) * self.n + 2.0)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        question, found = question_of(row), subjects(row, self.of, self.most)
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, self.max_tokens)
        about = await crucial(judge, question, ctx.seed, pictures_of(row))
        rows, drops = await tried(*(self._judged(row, ctx, judge, question, about, each) for each in found))
        return rows or drops[0]

    async def _judged(
        self, row: Row, ctx: Context, judge: Writer, question: str, about: Crucial, subject: Subject
    ) -> Row:
        values = {
            "question": question, "response": subject.text, "task": about.task, "criteria": about.criteria,
            "reference": about.reference,
        }  # fmt: skip
        lists = await self._criticised(row, ctx, values)
        every = [unit for _, units in lists for unit in units]
        labelled = await classified(judge, values, every, pictures_of(row))
        sound = [unit for unit in labelled if unit.meta_label == "correct"]
        final = await merged(judge, values, sound, pictures_of(row))
        return self._row(question, about, subject, _split(labelled, lists), final, judge.model.name, ctx.seed)

    async def _criticised(self, row: Row, ctx: Context, values: Row) -> list[Listed]:
        """The flaws each agent names. Raises Dropped where no agent's reply can be read."""
        writers = [Writer(ctx.models[name], self.prompts, self.temperature, self.max_tokens) for name in self.agents]
        asked = [(writer, seed) for writer in writers for seed in sample_seeds(ctx, self.n)]
        found = await together(*(criticised_by(writer, values, seed, pictures_of(row)) for writer, seed in asked))
        lists: list[Listed] = [
            (w.model.name, units) for (w, _), units in zip(asked, found, strict=True) if units is not None
        ]
        if not lists:
            raise Dropped("critique: no agent's reply can be read")
        return lists

    def _row(
        self,
        question: str,
        about: Crucial,
        subject: Subject,
        lists: Sequence[Listed],
        final: Merged,
        judge: str,
        seed: int,
    ) -> Row:
        text = f"{final.text}\nScore: {final.score:.0f}"
        origin = made_by(self.name, "merge", {"agents": list(self.agents), "n": self.n}, judge, seed)
        agents = [agent for agent, _ in lists]
        critiques = [
            answer(told(units), made_by(self.name, "agent", {"temperature": self.temperature}, agent, seed))
            for agent, units in lists
        ]
        return {
            **subject.about(question), **located(final.units, subject.text), "verdict": None, "rejected": None,
            "prompt": critic_prompt(question, subject.text, "score"), "candidates": critiques,
            "chosen": answer(text, origin), "critique": critique_value(text, judge, score=final.score),
            "task_description": about.task, "criteria": about.rows, "reference_response": about.reference,
            "agents": agents, "agents_kin": kin_among(self.name, judge, tuple(agents)),
            "agent_quality": [net_severity(units) for _, units in lists],
            "agent_units": [unit.row() for _, units in lists for unit in units],
        }  # fmt: skip


def _split(labelled: Sequence[Unit], lists: Sequence[Listed]) -> list[Listed]:
    """The labelled units, by agent as before."""
    units = iter(labelled)
    return [(agent, [next(units) for _ in before]) for agent, before in lists]
