"""Rows of the report laid side by side: a repeatable sample of the kept and of the dropped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.view import place_text
from .report_compare import Compare, drawn, lowest, rows_of
from .report_data import Answer, Pair, ReasonBlock
from .report_scores import score_fields
from .report_stages import HELD_OUT, largest
from .report_text import excerpt, percent, value_text
from .thumbnails import Thumbnails

if TYPE_CHECKING:
    from ..core.view import RunView

SHOWN: Final = 60
"""Kept rows, and dropped rows, in the browser."""
EXAMPLES: Final = 3
REASONS: Final = 40
"""Reasons laid out with examples; rarer ones are counted in the funnel."""
LONGEST: Final = 4000
"""Characters of one text in the browser; EXCERPT in an example."""
EXCERPT: Final = 260
BLANK: Final = re.compile(r"\n\s*\n")
"""Blank lines, left out of an example."""
PAYLOAD: Final = ("id", "place", "prompt", "chosen", "rejected", "candidates", "images")
_READ: Final = 20_000
"""Ledger entries per stage among which examples of its reasons are looked for."""
_AMONG: Final = 20
"""So many times as many entries as examples are the first of a reason, among which these are drawn."""


def kept_rows(compare: Compare) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """SHOWN rows of the end of the run, those whose id hashes lowest, and the names of their scores."""
    frame = compare.after
    if frame is None or not len(frame):
        return [], ()
    scores = tuple(field.name for field in score_fields(compare)[:12])
    columns = [name for name in (*PAYLOAD, *scores) if name in frame.names]
    frame = drawn(frame, columns)
    return rows_of(frame, lowest(frame.batches(["id"]), SHOWN), columns).to_pylist(), scores


def kept_pairs(rows: Sequence[Mapping[str, Any]], scores: Sequence[str], thumbs: Thumbnails) -> tuple[Pair, ...]:
    """Kept rows as the report shows them."""
    return tuple(pair_of(row, thumbs, values=named_values(row, scores)) for row in rows)


def reason_blocks(view: RunView, thumbs: Thumbnails) -> tuple[tuple[ReasonBlock, ...], int, tuple[Pair, ...]]:
    """Reasons by the rows they took, how many were left out, and dropped rows to browse."""
    lines = [(line, reason, rows) for line in view.funnel for reason, rows in largest(line.dropped)]
    listed = sorted(lines, key=lambda entry: (entry[1] == HELD_OUT, -entry[2]))[:REASONS]
    blocks, browsed = [], []
    quota = max(EXAMPLES, -(-SHOWN // max(len(listed), 1)))
    stock = {stage: _dropped(view, stage, quota) for stage in dict.fromkeys(line.stage for line, _, _ in listed)}
    for line, reason, rows in listed:
        found = [row for row in stock[line.stage] if row["reason"] == reason]
        examples = tuple(pair_of(row, thumbs, line.stage, EXCERPT) for row in found[:EXAMPLES])
        came = line.rows_in + line.made
        blocks.append(ReasonBlock(line.stage, reason, rows, percent(rows / came if came else 0.0), examples))
        browsed += [pair_of(row, thumbs, line.stage) for row in found[:quota]]
    return tuple(blocks), len(lines) - len(blocks), tuple(browsed[:SHOWN])


def pair_of(
    row: Mapping[str, Any], thumbs: Thumbnails, stage: str = "", longest: int = LONGEST,
    values: Sequence[tuple[str, str]] | None = None,
) -> Pair:  # fmt: skip
    """A row of the table as the report shows it; without a pair, its first two candidates."""
    sides, heads = (row.get("chosen"), row.get("rejected")), ("Chosen", "Rejected")
    candidates = row.get("candidates") or []
    if sides == (None, None) and candidates:
        sides = candidates[0], candidates[1] if len(candidates) > 1 else None
        heads = f"Candidate 1 of {len(candidates)}", f"Candidate 2 of {len(candidates)}"
    images = row.get("images") or []
    prompt = _cut(prompt_words(row.get("prompt")), images[0] if images else None, thumbs, longest)
    first, second = (_answer(side or {}, thumbs, longest) for side in sides)
    told = _deciding(row) if values is None else tuple(values)
    name, place, reason = row.get("id") or "", place_text(row.get("place")), row.get("reason") or ""
    return Pair(name, place, stage, reason, heads, prompt, first, second, told)


def _dropped(view: RunView, stage: str, quota: int) -> list[dict[str, Any]]:
    """Up to `quota` rows of each reason, whole, with the values that decided."""
    ledger = view.dropped(stage, limit=_READ)
    reasons = ledger["reason"].cast(pa.string())
    each = (ledger.filter(pc.equal(reasons, reason)).slice(0, _AMONG * quota) for reason in reasons.unique())
    ids = [lowest([entries], quota) for entries in each]
    wanted = pa.concat_arrays(ids) if ids else pa.array([], pa.string())
    told = {row["id"]: row for row in ledger.filter(pc.is_in(ledger["id"], value_set=wanted)).to_pylist()}
    return [row | told[row["id"]] for row in rows_of(view.input_frame(stage), wanted, PAYLOAD).to_pylist()]


def _deciding(row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = [(name.removeprefix("value_"), value) for name, value in row.items() if name.startswith("value_")]
    told = row.get("values")
    if isinstance(told, str):
        found += list(json.loads(told).items())
    return tuple((name, value_text(value)) for name, value in found if value is not None)


def named_values(row: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The scores that a row has, in words."""
    return tuple((name, value_text(row[name])) for name in names if not isinstance(row.get(name), (list, type(None))))


def _answer(side: Mapping[str, Any], thumbs: Thumbnails, longest: int) -> Answer:
    return _cut(side.get("text"), side.get("image"), thumbs, longest)


def _cut(text: str | None, image: Mapping[str, Any] | None, thumbs: Thumbnails, longest: int) -> Answer:
    source, words = thumbs.of(image)
    whole = "\n".join(part for part in (words, text or "") if part)
    shown = BLANK.sub("\n", whole) if longest == EXCERPT else whole
    if len(shown) <= longest:
        return Answer(shown, 0, source)
    return Answer(excerpt(shown, longest), len(whole), source)


def prompt_words(messages: Sequence[Mapping[str, Any]] | None) -> str:
    """The contents of a prompt's messages; of several, each after its role."""
    told = messages or []
    if len(told) == 1:
        return _content(told[0])
    return "\n\n".join(f"{message.get('role') or 'user'}: {_content(message)}" for message in told)


def _content(message: Mapping[str, Any]) -> str:
    parts = message.get("parts") or []
    return message.get("content") or "\n".join(part.get("text") or "" for part in parts if part.get("text"))


def pairs_json(pairs: Sequence[Pair]) -> str:
    """The pairs as JSON that may stand inside a script element: no `<`, `>` or `&`, no line separators.

    Thumbnails are left out: the script takes them from the plain list, which has the same order.
    """
    rows = [asdict(pair) for pair in pairs]
    for row in rows:
        for part in ("prompt", "chosen", "rejected"):
            del row[part]["image"]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
