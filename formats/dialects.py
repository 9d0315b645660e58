"""Trainers' dialects: our rows as the exact columns a trainer reads.

`DIALECTS` holds them by name. Columns are those TRL 1.16 and the diffusers DPO script read.
"""

from __future__ import annotations

from typing import Final

from ..core.errors import InputError, did_you_mean
from . import dialects_images as by_image
from . import dialects_text as by_text
from .dialect import Dialect

_PAIR: Final = ("prompt", "chosen", "rejected", "images?", "verdict?")
_ALL: Final = (
    Dialect("trl_preference", "DPO, ORPO, CPO: explicit prompt; with images for vision",
            ("prompt", "chosen", "rejected", "images?"), _PAIR, by_text.preference),
    Dialect("trl_implicit", "DPO and reward: whole conversations sharing their prompt",
            ("chosen", "rejected", "images?"), _PAIR, by_text.implicit, forms=("messages",)),
    Dialect("trl_reward", "reward models; a margin that is not known is written as 0, the loss without one",
            ("prompt?", "chosen", "rejected", "margin?", "images?"), (*_PAIR, "margin?"), by_text.reward),
    Dialect("trl_kto", "KTO, BCO: two rows a pair, the chosen (label true) before the rejected (false)",
            ("prompt", "completion", "label", "images?"), ("prompt", "chosen", "rejected?", "images?", "verdict?"),
            by_text.kto, lone=True, spread=2),
    Dialect("trl_sft", "supervised fine-tuning on the chosen answers",
            ("prompt", "completion", "images?"), ("prompt", "chosen", "images?", "verdict?"), by_text.sft,
            answers=("chosen",)),
    Dialect("cft", "critique fine-tuning: instruction, input (question and solution) and output (the critique)",
            ("instruction", "input", "output"), ("prompt", "chosen", "verdict?"), by_text.cft, forms=("text",),
            answers=("chosen",)),
    Dialect("trl_stepwise", "process reward models: steps with right or wrong",
            ("prompt", "completions", "labels"), ("prompt", "steps"), by_text.stepwise, forms=("text",), answers=()),
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
    Dialect("rather", "our own columns, ties among them", (), ("*",), by_text.own, forms=("messages",), answers=(),
            ties=True, across=True),
)  # fmt: skip
DIALECTS: Final = {each.name: each for each in _ALL}


def dialect(name: str) -> Dialect:
    """The dialect called `name`; InputError with the nearest name otherwise."""
    if name not in DIALECTS:
        raise InputError(f"no dialect called {name}", hint=did_you_mean(name, DIALECTS))
    return DIALECTS[name]
