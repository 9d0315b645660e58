"""Messages as transformers takes them, and what it generated as endpoints give it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.paid import Request
from .chat import parts


def logprobs_of(tokenizer: Any, logits: Any, row: int, ids: Sequence[int], k: int) -> list[dict[str, Any]]:
    """The chosen tokens of a reply with their log-probabilities, and the k best beside each (see `spreads`)."""
    found = []
    for step, token in enumerate(ids):
        chances = logits[step][row].float().log_softmax(-1)
        best = chances.topk(min(max(k, 1), chances.shape[-1]))
        top = [[tokenizer.decode([i]), v] for i, v in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        found.append({"token": tokenizer.decode([token]), "logprob": float(chances[token]), "top": top[:k]})
    return found


def message_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as processors take it: typed parts, pictures opened."""
    content: list[dict[str, Any]] = []
    for kind, value, _ in parts(message["content"]):
        content.append({"type": "text", "text": value} if kind == "text" else {"type": "image", "image": _image(value)})
    return {"role": message["role"], "content": content}


def has_image(request: Request) -> bool:
    """Whether a request shows a picture."""
    return any(kind == "image" for m in request["messages"] for kind, _, _ in parts(m["content"]))


def _image(data: str) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def tokenizer_of(processor: Any) -> Any:
    """The tokenizer of a processor, or the tokenizer itself."""
    return getattr(processor, "tokenizer", processor)


def unstopped(text: str, stop: Any) -> str:
    """The text before the first stop string, as endpoints give it."""
    for mark in [stop] if isinstance(stop, str) else stop or ():
        text = text.partition(mark)[0]
    return text
