"""What a report says, as frozen data: the template prints it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .report_gallery_data import Gallery


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
class Series:
    """One column before or after: rows with a value, rows without, quantiles and mean."""

    label: str
    rows: int
    nulls: int
    low: float | None
    median: float | None
    high: float | None
    mean: float | None


@final
@dataclass(frozen=True)
class Distribution:
    """A score column before and after, with what its schema says of it."""

    name: str
    doc: str
    facts: tuple[str, ...]
    svg: str
    before: Series
    after: Series
    yes: bool = False
    """True for a column of yes and no: its mean is the share of yes."""
    note: str = ""


@final
@dataclass(frozen=True)
class LengthBias:
    """How often the chosen answer is the longer one, ties in length left out."""

    before: float | None
    after: float | None
    pairs_before: int
    pairs_after: int
    svg: str
    histogram: Distribution


@final
@dataclass(frozen=True)
class TopicLine:
    """A topic: its number on the map, its distinctive words and its rows."""

    number: int
    label: str
    before: int
    after: int
    share: str
    bar: str


@final
@dataclass(frozen=True)
class TopicMap:
    """The map of prompts or answers; `points` of `rows` are drawn."""

    column: str
    points: int
    rows: int
    svg: str
    topics: tuple[TopicLine, ...]
    note: str = ""


@final
@dataclass(frozen=True)
class EvidenceLine:
    """Held-out accuracy of one head trained on one set of rows, with its interval as SVG."""

    source: str
    set: str
    rows: int
    accuracy: str
    low: str
    high: str
    seeds: int
    svg: str
    best: bool


@final
@dataclass(frozen=True)
class Evidence:
    """What diagnose.evidence measured, with the sentence that limits it."""

    stage: str
    label: str
    heldout: int
    lines: tuple[EvidenceLine, ...]
    caveat: str


@final
@dataclass(frozen=True)
class Measured:
    """One figure of a diagnosis; `span` is its interval in words, `svg` the same drawn."""

    measure: str
    value: str
    span: str
    svg: str
    reading: str


@final
@dataclass(frozen=True)
class Diagnosis:
    """What a diagnose.* stage measured; `why` is its warning, or why it refused."""

    stage: str
    refused: bool
    why: str
    lines: tuple[Measured, ...]


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
