"""Trainers' dialects: our rows as the exact columns a trainer reads.

`DIALECTS` holds them by name. Columns are those TRL 1.16 and the diffusers DPO script read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError, did_you_mean
from ..core.row import flat, prompt_text
from . import dialects_images as by_image
from . import rendering
from .features import undictionaried
from .rendering import Form

Body = Callable[[pa.Table, Form], dict[str, pa.Array]]
DIALECTS: Final[dict[str, Dialect]] = {}
_PRIVATE: Final = ("place", "content_hash", "prompt_hash")  # given anew to whatever is read again


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


def dialect(name: str) -> Dialect:
    """The dialect called `name`; InputError with the nearest name otherwise."""
    if name not in DIALECTS:
        raise InputError(f"no dialect called {name}", hint=did_you_mean(name, DIALECTS))
    return DIALECTS[name]


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


def _preference(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    columns = {"prompt": rendering.prompts(table, form)}
    columns |= {name: rendering.answers(table, name, form) for name in ("chosen", "rejected")}
    return columns | _images(table, form)


def _implicit(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    columns = {name: rendering.conversations(table, name, form) for name in ("chosen", "rejected")}
    return columns | _images(table, form)


def _reward(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    columns = _preference(table, form) if form.text else _implicit(table, form)
    if "margin" in table.column_names:
        # the collator looks at the first row of a batch only: every row must have a number,
        # and 0 is the loss without a margin
        columns["margin"] = pc.fill_null(flat(table["margin"]).cast(pa.float64()), 0.0)
    return columns


def _kto(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    n = table.num_rows
    twice = pa.array(np.repeat(np.arange(n), 2))
    sides = [name for name in ("chosen", "rejected") if name in table.column_names]
    both = [rendering.answers(table, name, form) for name in sides]
    if len(both) == 1:
        both.append(pa.nulls(n, both[0].type))
    both = [_nulled(column, table, name) for column, name in zip(both, ("chosen", "rejected"), strict=True)]
    completion = pa.concat_arrays(both).take(pa.array(np.arange(2 * n).reshape(2, n).T.ravel()))
    columns = {"prompt": rendering.prompts(table, form).take(twice), "completion": completion}
    columns["label"] = pa.array(np.tile([True, False], n))
    return columns | {name: column.take(twice) for name, column in _images(table, form).items()}


def _nulled(column: pa.Array, table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names or not table[name].null_count:
        return column
    return pc.if_else(flat(table[name]).is_valid(), column, pa.scalar(None, column.type))


def _sft(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    columns = {"prompt": rendering.prompts(table, form), "completion": rendering.answers(table, "chosen", form)}
    return columns | _images(table, form)


def _stepwise(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    steps = flat(table["steps"])
    values, offsets = (
        steps.flatten(),
        pa.array(np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(steps), 0))]).astype(np.int32)),
    )
    return {
        "prompt": prompt_text(table["prompt"]),
        "completions": pa.ListArray.from_arrays(offsets, pc.struct_field(values, "text")),
        "labels": pa.ListArray.from_arrays(offsets, pc.struct_field(values, "label")),
    }


def _cft(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    prompt = prompt_text(table["prompt"])
    parts = pc.extract_regex(prompt, r"(?s)^(?P<instruction>.*?)\n(?P<input>Question:\n.*)$")
    found = {name: pc.struct_field(parts, name) for name in ("instruction", "input")}
    return {
        "instruction": pc.if_else(parts.is_null(), prompt, found["instruction"]),
        "input": pc.if_else(parts.is_null(), "", found["input"]),
        "output": rendering.answers(table, "chosen", form),
    }


def _own(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    return {name: undictionaried(flat(table[name])) for name in table.column_names if name not in _PRIVATE}


def _images(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    return {"images": rendering.images(table, form)} if "images" in table.column_names else {}


def _known(*found: Dialect) -> None:
    DIALECTS.update({each.name: each for each in found})


_PAIR: Final = ("prompt", "chosen", "rejected", "images?", "verdict?")
_known(
    Dialect("trl_preference", "DPO, ORPO, CPO: explicit prompt; with images for vision",
            ("prompt", "chosen", "rejected", "images?"), _PAIR, _preference),
    Dialect("trl_implicit", "DPO and reward: whole conversations sharing their prompt",
            ("chosen", "rejected", "images?"), _PAIR, _implicit, forms=("messages",)),
    Dialect("trl_reward", "reward models; a margin that is not known is written as 0, the loss without one",
            ("prompt?", "chosen", "rejected", "margin?", "images?"), (*_PAIR, "margin?"), _reward),
    Dialect("trl_kto", "KTO, BCO: two rows a pair, the chosen (label true) before the rejected (false)",
            ("prompt", "completion", "label", "images?"), ("prompt", "chosen", "rejected?", "images?", "verdict?"),
            _kto, lone=True, spread=2),
    Dialect("trl_sft", "supervised fine-tuning on the chosen answers",
            ("prompt", "completion", "images?"), ("prompt", "chosen", "images?", "verdict?"), _sft,
            answers=("chosen",)),
    Dialect("cft", "critique fine-tuning: instruction, input (question and solution) and output (the critique)",
            ("instruction", "input", "output"), ("prompt", "chosen", "verdict?"), _cft, forms=("text",),
            answers=("chosen",)),
    Dialect("trl_stepwise", "process reward models: steps with right or wrong",
            ("prompt", "completions", "labels"), ("prompt", "steps"), _stepwise, forms=("text",), answers=()),
    Dialect("diffusion_dpo", "Pick-a-Pic columns of the Diffusion-DPO scripts; jpg_0 is the chosen image",
            ("jpg_0", "jpg_1", "label_0", "caption"), ("prompt", "chosen", "rejected", "verdict?"), by_image.diffusion,
            forms=("text",), part="image"),
    Dialect("sfo_quad", "subject-fidelity quadruplets: undegraded conditions, target and negative",
            ("reference", "prompt", "target", "negative", "degrade_visual", "degrade_text", "degrade_params", "seed"),
            ("prompt", "chosen", "rejected", "images", "degrade_visual?", "degrade_text?", "verdict?"),
            by_image.quadruple, forms=("text",), part="image", shows=True),
    Dialect("trl_vlm", "DPO of vision-language models: typed parts, as many images as image parts",
            ("prompt", "chosen", "rejected", "images"), ("prompt", "chosen", "rejected", "images", "verdict?"),
            by_image.vision, forms=("messages",), shows=True),
    Dialect("rlaif_v", "the columns of RLAIF-V-Dataset",
            ("ds_name", "image", "question", "chosen", "rejected", "origin_dataset", "origin_split", "idx",
             "image_path"),
            ("prompt", "chosen", "rejected", "images", "source?", "id?", "verdict?"), by_image.rlaif_v,
            forms=("text",), shows=True),
    Dialect("llava_dpo", "LLaVA's preference data: <image> before the question",
            ("id", "image", "prompt", "chosen", "rejected"),
            ("prompt", "chosen", "rejected", "images", "id?", "verdict?"), by_image.llava, forms=("text",), shows=True),
    Dialect("llava_critic", "critic training, pairwise: which of two answers is better, ties among them",
            ("id", "source", "conversations", "image"),
            ("prompt", "chosen", "rejected", "images", "critique?", "source?", "id?", "verdict?"),
            by_image.llava_critic, forms=("text",), shows=True, ties=True),
    Dialect("llava_critic_pointwise", "critic training, pointwise: an answer's score and why",
            ("id", "source", "conversations", "image"), ("prompt", "chosen", "images", "critique", "source?", "id?"),
            by_image.llava_critic_pointwise, forms=("text",), answers=("chosen",), shows=True,
            told=(("critique", "score"),)),
    Dialect("soli_cross", "reward models only: pairs across prompts, mu = 1, or 1/2 for a tie",
            ("prompt_chosen", "chosen", "chosen_image", "prompt_rejected", "rejected", "rejected_image", "mu"),
            ("prompt_chosen", "prompt_rejected", "chosen", "rejected", "verdict?"), by_image.cross_prompt,
            forms=("text",), answers=(), ties=True, across=True),
    Dialect("rather", "our own columns, ties among them", (), ("*",), _own, forms=("messages",), answers=(), ties=True,
            across=True),
)  # fmt: skip
