"""Guidance beyond the pipelines' own: the formulas, exact and without weights, and the hook that mixes.

The formulas take numpy arrays and torch tensors alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ..core.errors import CallRefused

A = TypeVar("A", bound=Any)
_LEAST = 1e-12


def nag(positive: A, negative: A, scale: float, tau: float, alpha: float) -> A:
    """Normalized attention guidance of attention outputs [..., tokens, features].

    Z̃ = Z⁺s - Z⁻(s - 1), shrunk where its L1 norm a token exceeds `tau` times that of Z⁺, then mixed:
    αẐ + (1 - α)Z⁺. `scale` 1 gives exactly Z⁺. NAG (Chen et al., 2025).
    """
    pushed = positive * scale - negative * (scale - 1)
    size = abs(positive).sum(axis=-1, keepdims=True).clip(min=_LEAST)
    ratio = (abs(pushed).sum(axis=-1, keepdims=True) / size).clip(min=_LEAST)
    limited = pushed * (ratio.clip(max=tau) / ratio)
    return positive + alpha * (limited - positive)


def mixed(empty: A, base: A, personal: A, text_weight: float, subject_weight: float) -> A:
    """ε = ε_base(∅) + w₁(ε_base(c) - ε_base(∅)) + w₂(ε_personal(c) - ε_base(c)): text and subject apart.

    The equation is a house reading of hypernetwork-mixed guidance, not taken from the paper.
    w₂ = 0 is the base model under guidance w₁; w₂ = w₁ guides towards the personalised prediction.
    """
    return empty + text_weight * (base - empty) + subject_weight * (personal - base)


@contextmanager
def mixed_guidance(pipe: Any, text_weight: float, subject_weight: float, guidance: float) -> Iterator[None]:
    """While it lasts, the UNet predicts so that the pipeline's own guidance comes to `mixed`.

    CallRefused without a UNet, a LoRA (the personalised part) or classifier-free guidance.
    """
    unet = getattr(pipe, "unet", None)
    if unet is None or not getattr(unet, "peft_config", None) or guidance <= 1:
        hint = "give the painter loras and a guidance above 1, or leave mix out"
        raise CallRefused("mixing guidance needs a UNet, a LoRA and classifier-free guidance", hint=hint)
    personal = unet.forward

    def forward(sample: Any, *args: Any, return_dict: bool = True, **rest: Any) -> Any:
        own = personal(sample, *args, return_dict=False, **rest)[0]
        unet.disable_adapters()
        base = personal(sample, *args, return_dict=False, **rest)[0]
        unet.enable_adapters()
        (empty, base), (_, own) = base.chunk(2), own.chunk(2)
        wanted = mixed(empty, base, own, text_weight, subject_weight)
        # The pipeline adds guidance·(second - first) to the first half.
        return (_joined(empty, empty + (wanted - empty) / guidance),)

    unet.forward = forward
    try:
        yield
    finally:
        unet.forward = personal


def _joined(first: Any, second: Any) -> Any:
    import torch

    return torch.cat([first, second])
