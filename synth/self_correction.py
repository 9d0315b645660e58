"""`synth.self_correction`: does a model put an error right when it is its own, and when it is somebody else's?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.verdict import Verdict
from .making import TEMPLATES, Writer, answered, messages_of, prompt_of, together
from .verifiers import AnyVerifier, reference_columns, reference_of
from .verifiers_text import Formula


@final
@register("synth.self_correction")
class SelfCorrection(Map):
    """Show a model the same flawed text as its own beginning and as another's, and verify where both end.

    As its own, the text stands in the assistant's turn, which the model carries on: the endpoint must be
    one that continues a last assistant message, some only when told so in `extra_body` of a model of its
    own (`prefilled`). An ending without a readable answer is null. `diagnose.blind_spot` compares the two.
    """

    reads = ("prompt", "flawed", "{reference}")
    writes = (
        Column("corrected_own", "whether the answer is right after its own flawed beginning", pa.bool_()),
        Column("corrected_theirs", "whether it is right after the same text by another", pa.bool_()),
        Column("own_ending", "what the model went on with, as its own", pa.string()),
        Column("theirs_ending", "what it went on with, as another's", pa.string()),
    )
    paper = "Self-Correction Bench, arXiv 2507.02778"

    model: Annotated[str, ModelOf("chat")] = "writer"
    """Who is tried."""
    prefilled: Annotated[str | None, ModelOf("chat")] = None
    """The same model, set to continue a last assistant message; null = `model` does so."""
    reference: str = "reference"
    """Column with the right answer."""
    verifier: AnyVerifier = Formula()
    """How the endings are verified."""
    marker: str = ""
    """A word put behind its own beginning, such as Wait; the paper's cure for the blind spot."""
    prompts: str = "self_correction"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of an ending."""

    def columns_read(self) -> tuple[str, ...]:
        return ("prompt", "flawed", *reference_columns(self.verifier, self.reference))

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts), *self.verifier.faults()]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        flawed = (row["flawed"] or "").rstrip()
        if not flawed:
            raise Dropped("no flawed beginning")
        begun = f"{flawed}\n{self.marker}" if self.marker else flawed
        reference = reference_of(row, self.reference, self.verifier)
        writer = Writer(ctx.models[self.model], self.prompts, self.temperature, self.max_tokens)
        own, theirs = await together(
            answered(
                ctx.models[self.prefilled or self.model],
                [*messages_of(row), {"role": "assistant", "content": begun}],
                temperature=self.temperature, max_tokens=self.max_tokens,
            ),
            writer.verdict("theirs", {"prompt": prompt_of(row), "flawed": flawed}),
        )  # fmt: skip
        return [{
            "corrected_own": await self._right(begun, own, reference),
            "corrected_theirs": await self._right(flawed, theirs, reference),
            "own_ending": own.value if own.ok else None, "theirs_ending": theirs.value if theirs.ok else None,
        }]  # fmt: skip

    async def _right(self, begun: str, ending: Verdict, reference: object) -> bool | None:
        if not ending.ok:
            return None
        finding = await self.verifier.verify(f"{begun}\n{ending.value}", reference)
        return None if finding.result == "unreadable" else finding.right
