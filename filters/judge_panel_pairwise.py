"""`judge.panel_pairwise`: several chat models, or several prompts, vote on pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.several import Chats, Names
from ..core.stage import Columns, Context, Score
from ..models.answers import answers_in, by_row
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee, mean_lead
from .judging import asides, digests, pictures_of, template, template_faults, texts_of
from .panel import majority, names_of, side_by_side, together, wrote

_HELPS: Final = ("reference", "metrics")


@final
@register("judge.panel_pairwise")
class JudgePanelPairwise(Score):
    """Have every judge compare chosen and rejected in both orders, and count the votes.

    A member's value is the mean over both orders of its chance for the chosen answer. A judge does not
    vote on pairs with an answer of its own. PoLL (Verga et al., 2024).
    """

    reads = ("prompt", "chosen", "rejected", "{reference}?", "{metrics}?", "images?")
    writes = (
        Column(
            "{column}",
            "chance that chosen is better, mean of the members",
            pa.float64(),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),  # noqa: E501
        Column("{column}_sd", "how far the judges are apart", pa.float64(), "probability", 0, 0.5, "neither"),
        Column(
            "{column}_by_judge",
            "each member's chance for chosen",
            pa.list_(pa.float64()),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),  # noqa: E501
        Column("{column}_verdict", "what most members say: chosen, rejected or tie", pa.string()),
        Column("{column}_outcomes", "how each member's replies ended; null = its own answer", pa.list_(pa.string())),
        Column("{column}_outcome", "ok when enough members gave a verdict", pa.string()),
    )
    paper = "PoLL, arXiv 2404.18796"

    judges: Chats = ("judge",)
    """The judges; an odd number leaves fewer ties."""
    column: str = "panel_p"
    """Name of the chance: columns begin with it."""
    quorum: Annotated[int, Field(ge=1)] = 2
    """Least verdicts a pair needs, or all where fewer judges may judge it."""
    exclude_self: bool = True
    """Keep a judge from pairs with an answer it wrote."""
    templates: Names = ("pairwise",)
    """Templates of the package, or files: each judge is asked with each."""
    rules: bool = True
    """Put the rules of judging into the prompt."""
    reason: bool = False
    """Let the judges write their reasons before the verdict."""
    ties: bool = True
    """Allow the verdict tie."""
    soft: bool = False
    """Read the chances of A and B off the log-probabilities."""
    reference: str | None = None
    """Column with a good answer to compare with."""
    metrics: str | None = None
    """Column with questions to ask of each answer."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 16, or 512 with reasons."""

    def faults(self) -> Sequence[str]:
        return template_faults(*self.templates)

    def materials(self) -> tuple[str, ...]:
        return digests(*self.templates)

    def calls_a_row(self) -> float:
        return 2.0 * len(self.judges) * len(self.templates)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = by_row(answers_in(batch, "pair"), batch.num_rows)
        judged = [i for i, answers in enumerate(rows) if len(answers) == 2]
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {name: getattr(self, name) for name in _HELPS})
        matches = [Match(prompts[i] or "", rows[i][0], rows[i][1], helps[i], pictures[i]) for i in judged]
        members = [(judge, name) for judge in self.judges for name in self.templates]
        by_member = side_by_side(lambda member: self._member(matches, ctx, *member), members)
        found: list[dict[str, Any]] = [{} for _ in rows]
        for k, i in enumerate(judged):
            values, outcomes = zip(*(member[k] for member in by_member), strict=True)
            found[i] = together(self.column, values, outcomes, self.quorum, "mean")
            if found[i].get(self.column) is not None:
                found[i][f"{self.column}_verdict"] = majority(values)
        return {c.name: pa.array([row.get(c.name) for row in found], c.type) for c in self.columns_written()}

    def _member(
        self, matches: Sequence[Match], ctx: Context, judge: str, name: str
    ) -> list[tuple[float | None, str | None]]:
        own = names_of(ctx, judge) if self.exclude_self else frozenset()
        asked = [k for k, match in enumerate(matches) if not wrote(own, [match.first, match.second])]
        referee = Referee(
            ctx.models[judge], template(name), self.rules, self.reason, self.ties, self.soft, self.temperature,
            self.max_tokens,
        )  # fmt: skip
        found: list[tuple[float | None, str | None]] = [(None, None)] * len(matches)
        for k, verdicts in zip(asked, referee.both([matches[k] for k in asked]), strict=True):
            found[k] = (mean_lead(verdicts), shared_outcome(verdicts))
        return found
