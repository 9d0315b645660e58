"""What a dialect is: which rows it can carry, and how they become a trainer's columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import flat
from .features import undictionaried
from .rendering import Form

Body = Callable[[pa.Table, Form], dict[str, pa.Array]]


@final
@dataclass(frozen=True)
class Dialect:
    """One trainer's layout; `body` renders rows, `unfit` says which rows it cannot carry.

    `columns` are what the trainer reads (a trailing `?`: only when the rows have it, or, for
    `prompt?`, only as text); `reads` are ours; `forms` the forms of conversation it knows;
    `part` names the piece every one of `answers` must have (any one of them suffices if `lone`);
    `shows`: the prompt must come with an image; `across`: the sides may answer different prompts;
    `told` names columns and the field of each that must be known.
    """

    name: str
    doc: str
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    body: Body
    forms: tuple[str, ...] = ("text", "messages")
    answers: tuple[str, ...] = ("chosen", "rejected")
    part: str = "text"
    lone: bool = False
    ties: bool = False
    shows: bool = False
    across: bool = False
    told: tuple[tuple[str, str], ...] = ()
    spread: int = 1

    def unfit(self, table: pa.Table) -> pa.Array:
        """Why a row cannot be written in this dialect [n], null = it can."""
        reasons = pa.nulls(table.num_rows, pa.string())
        if "prompt" in table.column_names and "prompt" in self.reads:
            reasons = _because(reasons, flat(table["prompt"]).is_null(), "no prompt")
        if self.shows:
            reasons = _because(reasons, _imageless(table), "no image with the prompt")
        for column, field in self.told:
            reasons = _because(reasons, pc.struct_field(flat(table[column]), field).is_null(), f"no {column} {field}")
        missing = [self._missing(flat(table[name])) for name in self.answers if name in table.column_names]
        if self.lone and len(missing) > 1:
            reasons = _because(reasons, pc.and_(*missing), "no answer")
        elif missing:
            for name, absent in zip(self.answers, missing, strict=False):
                reasons = _because(reasons, absent, f"no {name} {'image' if self.part == 'image' else 'answer'}")
        if "verdict" in table.column_names and not self.ties:
            reasons = _because(reasons, pc.equal(flat(table["verdict"]), "tie"), "tie")
        return reasons

    def convert(self, table: pa.Table, form: Form, beside: Sequence[str] = ()) -> pa.Table:
        """The trainer's columns, then those of `beside` that they do not hide.

        `table` [n] must hold only rows that fit; [n · spread] rows come out, in order.
        """
        columns = self.body(table, form)
        index = pa.array(np.repeat(np.arange(table.num_rows), self.spread)) if self.spread > 1 else None
        for name in beside:
            if name not in columns:
                column = undictionaried(flat(table[name]))
                columns[name] = column if index is None else column.take(index)
        out = pa.table(columns)
        return self._whole(out) if self.lone else out

    def _whole(self, out: pa.Table) -> pa.Table:
        return out.filter(pc.is_valid(out["completion"])) if "completion" in out.column_names else out

    def _missing(self, answer: pa.Array) -> pa.Array:
        text = pc.struct_field(answer, self.part)
        if self.part == "image":
            return pc.struct_field(text, "bytes").is_null()
        return pc.and_(text.is_null(), pc.struct_field(answer, "turns").is_null())


def _imageless(table: pa.Table) -> pa.Array:
    """Rows whose `images` are none, or not there as bytes."""
    images = flat(table["images"])
    absent = pc.equal(pc.fill_null(pc.list_value_length(images), 0), 0).to_numpy(zero_copy_only=False)
    rows = pc.list_parent_indices(images).to_numpy(zero_copy_only=False)
    unread = pc.struct_field(images.flatten(), "bytes").is_null().to_numpy(zero_copy_only=False)
    return pa.array(absent | (np.bincount(rows[unread], minlength=table.num_rows) > 0))


def _because(reasons: pa.Array, mask: pa.Array, why: str) -> pa.Array:
    if not pc.any(mask).as_py():
        return reasons
    return pc.if_else(pc.and_(reasons.is_null(), pc.fill_null(mask, False)), pa.scalar(why), reasons)
