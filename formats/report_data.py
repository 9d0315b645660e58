"""What a report says, as frozen data: the template prints it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .report_gallery_data import Gallery
from .report_measured_data import Diagnosis, Distribution, Evidence, LengthBias, TopicMap


@final
@dataclass(frozen=True)
class Tile:
    """One key figure; `before` is set when the figure is a change."""

    label: str
    value: str
    before: str = ""
    note: str = ""
    tone: str = ""


@final
@dataclass(frozen=True)
class StageLine:
    """One stage of the funnel; `dropped` holds (reason, rows), largest first."""

    name: str
    shape: str
    rows_in: int
    made: int
    rows_out: int
    dropped: tuple[tuple[str, int], ...]
    failed: int
    skipped: str
    seconds: float
    calls: int
    reused: int
    tokens: int
    usd: float
    bar: str
    """SVG: rows kept and dropped against the widest stage."""
    time_bar: str
    """SVG: its share of the longest stage's time."""


@final
@dataclass(frozen=True)
class Answer:
    """A prompt or an answer as shown: text (cut when long) and at most one thumbnail (data URI)."""

    text: str
    cut: int = 0
    """Characters of the whole text when it was cut, else 0."""
    image: str = ""


@final
@dataclass(frozen=True)
class Pair:
    """A row laid side by side; `reason` is empty when it was kept, `heads` name the two answers."""

    id: str
    place: str
    stage: str
    reason: str
    heads: tuple[str, str]
    prompt: Answer
    chosen: Answer
    rejected: Answer
    values: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class ReasonBlock:
    """Why rows went: one reason of one stage with up to three examples."""

    stage: str
    reason: str
    rows: int
    share: str
    examples: tuple[Pair, ...]


@final
@dataclass(frozen=True)
class Fact:
    """What a sink left behind: (name, value) lines under the sink's stage name."""

    stage: str
    lines: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class ReportData:
    """The whole report, in the order it is read."""

    name: str
    sentence: str
    about: tuple[str, ...]
    tiles: tuple[Tile, ...]
    stages: tuple[StageLine, ...]
    river: str
    reasons: tuple[ReasonBlock, ...]
    reasons_left: int
    distributions: tuple[Distribution, ...]
    columns_left: tuple[str, ...]
    sampled: str
    length: LengthBias | None
    topics: TopicMap | None
    gallery: Gallery | None
    kept: tuple[Pair, ...]
    dropped: tuple[Pair, ...]
    evidence: tuple[Evidence, ...]
    diagnoses: tuple[Diagnosis, ...]
    facts: tuple[Fact, ...]
    recipe: str
    provenance: tuple[tuple[str, str], ...]
