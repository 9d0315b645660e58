"""Normalized attention guidance in a pipeline: hooks into the attention of UNets and of joint transformers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, final

from ..core.errors import CallRefused
from .painter import Nag
from .painter_guidance import nag

_JOINT: Final = ("SD3Transformer2DModel", "FluxTransformer2DModel")
"""Transformers whose blocks keep text and image tokens apart until they attend together."""


@contextmanager
def nag_attention(pipe: Any, away: Nag, count: int) -> Iterator[None]:
    """While it lasts, the attention of `count` pictures is guided; those of an empty prompt beside them are not.

    CallRefused for a pipeline that is not known, or with an adapter of its attention. At scale 1 nothing is done.
    """
    unet, transformer = getattr(pipe, "unet", None), getattr(pipe, "transformer", None)
    if unet is None and type(transformer).__name__ not in _JOINT:
        cause = f"NAG is built for UNets, Stable Diffusion 3 and Flux, and {type(pipe).__name__} is none"
        raise CallRefused(cause, hint="leave nag out, or name another pipeline")
    network: Any = transformer if unet is None else unet
    kinds = {type(one).__name__ for one in network.attn_processors.values()}
    if any("IPAdapter" in kind for kind in kinds) or (unet is not None and kinds != {"AttnProcessor2_0"}):
        raise CallRefused("NAG cannot be combined with an adapter of the attention", hint="leave ip_adapter out")
    if away.scale == 1:
        yield
        return
    context = prompt_tokens(pipe, away.negative_prompt)
    with _crossed(network, context, away, count) if unet is not None else _joined(network, context, away, count):
        yield


@final
class NagAttention:
    """Cross-attention of a UNet whose last `count` rows, the conditional ones, are guided away from a context."""

    def __init__(self, context: Any, away: Nag, count: int) -> None:
        self.context, self.away, self.count = context, away, count

    def __call__(
        self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, attention_mask: Any = None,
        temb: Any = None, **rest: Any,
    ) -> Any:  # fmt: skip
        """The layer's output, as diffusers' own processor gives it."""
        query = _heads(attn, attn.to_q(hidden_states))
        positive = _attended(attn, query, encoder_hidden_states)
        context = self.context.to(hidden_states.dtype).expand(self.count, -1, -1)
        negative = _attended(attn, query[-self.count :], context)
        positive[-self.count :] = _guided(positive[-self.count :], negative, self.away)
        out = attn.to_out[1](attn.to_out[0](positive))
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor


@contextmanager
def _crossed(unet: Any, context: Any, away: Nag, count: int) -> Iterator[None]:
    before = dict(unet.attn_processors)
    guided = NagAttention(context, away, count)
    unet.set_attn_processor({name: guided if ".attn2." in name else one for name, one in before.items()})
    try:
        yield
    finally:
        unet.set_attn_processor(before)


@final
class JointNag:
    """Joint attention whose image tokens are guided away from a context, by hooks into one transformer.

    Each conditional row goes through beside a copy of itself whose text is the context. What image tokens
    attend to is guided and given to both, so that the copies differ in text tokens alone; the text of the
    row itself is left as it is. The pooled prompt of a copy is that of its row (house).
    """

    def __init__(self, context: Any, away: Nag, count: int) -> None:
        self.context, self.away, self.count = context, away, count
        self._texts = 0

    def copied(self, transformer: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The transformer's input with the copies after the rows."""
        import torch

        for name in ("hidden_states", "timestep", "pooled_projections", "guidance"):
            if given.get(name) is not None:
                given[name] = torch.cat([given[name], given[name][-self.count :]])
        text = given["encoder_hidden_states"]
        self._texts = text.shape[1]
        context = self.context.to(text.dtype).expand(self.count, -1, -1)
        return args, given | {"encoder_hidden_states": torch.cat([text, context])}

    def cut(self, transformer: Any, args: Any, out: Any) -> Any:
        """The transformer's output without the copies."""
        return (out[0][: -self.count], *out[1:])

    def projected(self, layer: Any, args: tuple[Any]) -> tuple[Any]:
        """Image tokens on their way into the projection after the attention."""
        return (self._shared(args[0]),)

    def attended(self, attn: Any, args: Any, out: Any) -> Any:
        """Text tokens and, after them, image tokens out of an attention without a projection of its own."""
        import torch

        return torch.cat([out[:, : self._texts], self._shared(out[:, self._texts :])], dim=1)

    def _shared(self, states: Any) -> Any:
        import torch

        rest, positive, negative = states.split([len(states) - 2 * self.count, self.count, self.count])
        guided = _guided(positive, negative, self.away)
        return torch.cat([rest, guided, guided])


@contextmanager
def _joined(transformer: Any, context: Any, away: Nag, count: int) -> Iterator[None]:
    joint = JointNag(context, away, count)
    hooks = [
        transformer.register_forward_pre_hook(joint.copied, with_kwargs=True),
        transformer.register_forward_hook(joint.cut),
    ]
    hooks += [b.attn.to_out[0].register_forward_pre_hook(joint.projected) for b in transformer.transformer_blocks]
    single = getattr(transformer, "single_transformer_blocks", ())
    hooks += [block.attn.register_forward_hook(joint.attended) for block in single]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _guided(positive: Any, negative: Any, away: Nag) -> Any:
    # Norms are sums over thousands of features: too large for half precision.
    found = nag(positive.float(), negative.float(), away.scale, away.tau, away.alpha)
    return found.to(positive.dtype)


def prompt_tokens(pipe: Any, text: str) -> Any:
    """A prompt's text tokens [1, tokens, features]."""
    takes = inspect.signature(pipe.encode_prompt).parameters
    given = {"prompt": text, "prompt_2": None, "prompt_3": None, "device": pipe._execution_device}
    given |= {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    return pipe.encode_prompt(**{name: value for name, value in given.items() if name in takes})[0]


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
