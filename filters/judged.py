"""Rows that a judge has judged, as arrays: verdicts by order, human labels, lengths, marks of format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError
from ..core.row import answer_text, flat
from .judged_texts import measured_texts
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame

_SAID: Final = {"chosen": 1.0, "rejected": 0.0, "tie": 0.5}


@final
@dataclass(frozen=True)
class Names:
    """What the columns are called; null = there is none. `order` takes the pair's own order as the truth."""

    p: str
    first: str | None = None
    second: str | None = None
    human: str | None = None
    score: str | None = None
    margin: str | None = None
    by: str | None = None
    kin: str | None = None
    order: bool = False


@final
@dataclass(frozen=True)
class Judged:
    """n rows. Verdicts and `human`: 1 chosen better, 0 rejected, ½ tie, NaN none. Lengths in characters.

    `own` is 1 where only chosen is by the judge's kin, 0 where only rejected is; `chosen_hash` and
    `rejected_hash` are those of the texts; `sides` are the judge's scores; `outcome` and `group` text.
    """

    p: np.ndarray
    given: np.ndarray
    swapped: np.ndarray
    human: np.ndarray
    margin: np.ndarray
    own: np.ndarray
    chosen_score: np.ndarray
    rejected_score: np.ndarray
    chosen_length: np.ndarray
    rejected_length: np.ndarray
    chosen_words: np.ndarray
    rejected_words: np.ndarray
    chosen_distinct: np.ndarray
    rejected_distinct: np.ndarray
    chosen_marks: np.ndarray
    rejected_marks: np.ndarray
    chosen_hash: np.ndarray
    rejected_hash: np.ndarray
    prompt: np.ndarray
    outcome: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.p)

    @property
    def longer(self) -> np.ndarray:
        """Characters of chosen less those of rejected [n]."""
        gap: np.ndarray = self.chosen_length - self.rejected_length
        return gap

    @property
    def both_orders(self) -> bool:
        """Whether any row was judged in both orders."""
        return bool((np.isfinite(self.given) & np.isfinite(self.swapped)).any())

    def at(self, rows: np.ndarray) -> Judged:
        """These rows only."""
        return Judged(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def read_judged(rows: Frame, names: Names) -> Judged:
    """The judged rows of a frame; columns it has not are NaN. InputError where it has no verdict at all."""
    sides = [] if names.score is None else [f"chosen_{names.score}", f"rejected_{names.score}"]
    wanted = ["prompt_hash", "chosen", "rejected", names.p, f"{names.p}_outcome", names.first, names.second,
              names.human or "gold", names.margin, names.by, "verdict", *sides]  # fmt: skip
    present = [name for name in dict.fromkeys(wanted) if name is not None and name in rows.names]
    if names.p not in present and not (sides and set(sides) <= set(present)):
        hint = "judge.pairwise writes judge_p; name your column, or the score of both answers"
        raise InputError(f"no column {names.p} with a judge's verdicts", hint=hint)
    parts = [_part(batch, names) for batch in rows.batches(present)]
    if not parts:
        parts = [_part(rows.table(present), names)]
    return Judged(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Judged)})


def said(column: pa.Array | pa.ChunkedArray, place: str) -> np.ndarray:
    """Verdicts [n] from words (chosen, rejected, tie), yes or no (chosen is better), or numbers in [0, 1]."""
    array = flat(column)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        coded = array.dictionary_encode()
        words = coded.dictionary.to_pylist()
        odd = next((word for word in words if word not in _SAID), None)
        if odd is not None:
            raise InputError(f"{place} is {odd!r}", place=place, hint="needed: chosen, rejected or tie")
        told = np.array([_SAID[word] for word in words] + [np.nan])
        found: np.ndarray = told[coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)]
        return found
    if not (pa.types.is_boolean(array.type) or pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
        if pa.types.is_null(array.type):
            return np.full(len(array), np.nan)
        raise InputError(f"{place} is {array.type}", place=place, hint="needed: words, yes or no, or chances")
    numbers = floats(array)
    if ((numbers < 0) | (numbers > 1)).any():
        raise InputError(f"{place} has a value outside [0, 1]", place=place, hint="needed: the chance of chosen")
    return numbers


def preferred(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """The verdict [n] that two scores imply: the higher wins, equal ones tie, NaN where one is missing."""
    return np.where(np.isnan(chosen) | np.isnan(rejected), np.nan, (np.sign(chosen - rejected) + 1) / 2)


def correct(p: np.ndarray, human: np.ndarray) -> np.ndarray:
    """1 where the judge prefers what people prefer, 0 where not, ½ where it ties; NaN where people tie."""
    decided = (human == 0) | (human == 1)
    choice = np.where(np.isnan(p), np.nan, np.where(p == 0.5, 0.5, (p > 0.5) == (human == 1)))
    return np.where(decided, choice, np.nan)


def confidence(p: np.ndarray) -> np.ndarray:
    """How sure a judge is of whatever it prefers, ½ to 1, from its chance for chosen [n]."""
    sure: np.ndarray = np.maximum(p, 1 - p)
    return sure


def _part(batch: pa.Table, names: Names) -> Judged:
    n, there = batch.num_rows, set(batch.column_names)
    none = np.full(n, np.nan)

    def numbers(name: str | None) -> np.ndarray:
        return floats(batch[name]) if name is not None and name in there else none

    def verdicts(name: str | None) -> np.ndarray:
        return said(batch[name], name) if name is not None and name in there else none

    scores = [numbers(f"{side}_{names.score}") if names.score else none for side in ("chosen", "rejected")]
    p = numbers(names.p) if names.p in there else preferred(*scores)
    sides = [_texts(batch[side]) for side in ("chosen", "rejected")]
    measured = [measured_texts(texts) for texts, _ in sides]
    found: dict[str, np.ndarray] = {
        "p": p, "given": verdicts(names.first), "swapped": verdicts(names.second), "margin": numbers(names.margin),
        "human": _human(batch, names), "own": _own(sides, names.kin, n), "prompt": batch["prompt_hash"].to_numpy(),
        "outcome": _words(batch, f"{names.p}_outcome", "ok", n), "group": _words(batch, names.by, "", n),
    }  # fmt: skip
    for side, score, columns in zip(("chosen", "rejected"), scores, measured, strict=True):
        found |= {f"{side}_{name}": column for name, column in columns.items()} | {f"{side}_score": score}
    return Judged(**found)


def _texts(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """(texts without nulls, names of those who wrote them)."""
    answers = flat(column)
    return pc.fill_null(answer_text(answers), ""), pc.fill_null(pc.struct_field(answers, "model"), "")


def _human(batch: pa.Table, names: Names) -> np.ndarray:
    name = names.human or "gold"
    if name in batch.column_names:
        return said(batch[name], name)
    if not names.order:
        return np.full(batch.num_rows, np.nan)
    if "verdict" not in batch.column_names:
        return np.ones(batch.num_rows)
    tied = pc.fill_null(pc.equal(batch["verdict"], "tie"), False)
    return np.where(np.asarray(flat(tied).to_numpy(zero_copy_only=False), bool), 0.5, 1.0)


def _own(sides: Sequence[tuple[pa.Array, pa.Array]], kin: str | None, n: int) -> np.ndarray:
    if kin is None:
        return np.full(n, np.nan)
    ours = [np.asarray(pc.match_substring(models, kin, ignore_case=True).to_numpy(zero_copy_only=False), bool)
            for _, models in sides]  # fmt: skip
    return np.where(ours[0] == ours[1], np.nan, ours[0].astype(np.float64))


def _words(batch: pa.Table, name: str | None, default: str, n: int) -> np.ndarray:
    if name is None or name not in batch.column_names:
        return np.full(n, default, dtype=object)
    return np.array(pc.fill_null(flat(batch[name]).cast(pa.string()), "none").to_pylist(), dtype=object)
