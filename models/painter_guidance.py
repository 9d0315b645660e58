"""Guidance beyond the pipelines' own: the formulas, exact and without weights, and their hooks into a UNet.

The formulas take numpy arrays and torch tensors alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, final

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


@final
class NagAttention:
    """Cross-attention of a UNet whose conditional rows are guided away from a second context.

    With classifier-free guidance the first half of the rows is unconditional and left as it is.
    """

    def __init__(self, context: Any, scale: float, tau: float, alpha: float, halved: bool) -> None:
        self.context, self.scale, self.tau, self.alpha, self.halved = context, scale, tau, alpha, halved

    def __call__(
        self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, attention_mask: Any = None,
        temb: Any = None, **rest: Any,
    ) -> Any:  # fmt: skip
        """The layer's output, as diffusers' own processor gives it."""
        rows, tokens, _ = hidden_states.shape
        query = _heads(attn, attn.to_q(hidden_states))
        positive = _attended(attn, query, encoder_hidden_states)
        start = rows // 2 if self.halved else 0
        context = self.context.to(hidden_states.dtype).expand(rows - start, -1, -1)
        negative = _attended(attn, query[start:], context)
        positive[start:] = nag(positive[start:], negative, self.scale, self.tau, self.alpha)
        out = attn.to_out[1](attn.to_out[0](positive))
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor


@contextmanager
def nag_attention(
    pipe: Any, negative_prompt: str, scale: float, tau: float, alpha: float, halved: bool
) -> Iterator[None]:
    """While it lasts, the UNet's cross-attention is guided. CallRefused for a pipeline that is not known."""
    if getattr(pipe, "unet", None) is None:
        cause = f"NAG is built for pipelines with a UNet; {type(pipe).__name__} has none"
        raise CallRefused(cause, hint="use Stable Diffusion 1, 2 or XL, or leave nag out")
    before = dict(pipe.unet.attn_processors)
    if any(type(one).__name__ != "AttnProcessor2_0" for one in before.values()):
        raise CallRefused("NAG cannot be combined with an adapter of the attention", hint="leave ip_adapter out")
    context = pipe.encode_prompt(negative_prompt, device=pipe._execution_device, num_images_per_prompt=1,
                                 do_classifier_free_guidance=False)[0]  # fmt: skip
    guided = NagAttention(context, scale, tau, alpha, halved)
    pipe.unet.set_attn_processor({name: guided if ".attn2." in name else one for name, one in before.items()})
    try:
        yield
    finally:
        pipe.unet.set_attn_processor(before)


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


def _heads(attn: Any, states: Any) -> Any:
    rows, tokens, width = states.shape
    return states.view(rows, tokens, attn.heads, width // attn.heads).transpose(1, 2)


def _attended(attn: Any, query: Any, context: Any) -> Any:
    import torch.nn.functional as functional

    if attn.norm_cross:
        context = attn.norm_encoder_hidden_states(context)
    key, value = _heads(attn, attn.to_k(context)), _heads(attn, attn.to_v(context))
    out = functional.scaled_dot_product_attention(query, key, value)
    rows, heads, tokens, size = out.shape
    return out.transpose(1, 2).reshape(rows, tokens, heads * size).to(query.dtype)
