"""Conversations as the token ids a model was trained on: by its chat template, or as plain text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import InputError, RowError
from .passes import Encoded

Talk = Sequence[Mapping[str, str]]
"""Messages {role, content}."""


def as_pair(tokenizer: Any, prompt: Talk, answer: Talk) -> Encoded:
    """A prompt with its answer, for a classifier: by chat template, else as a pair of texts."""
    if tokenizer.chat_template:
        text = templated(tokenizer, [*prompt, *answer], False)
        found = tokenizer(text, add_special_tokens=False)
    else:
        found = tokenizer(joined(prompt), joined(answer))
    kinds = found.get("token_type_ids") or ()
    return Encoded(tuple(found["input_ids"]), tuple(kinds))


def as_continuation(tokenizer: Any, prompt: Talk, answer: Talk, between: str) -> Encoded:
    """A prompt with its answer, for a language model; `start` is the answer's first token.

    Without a chat template the answer follows the prompt after `between` and ends in the end token.
    The answer begins where the ids of the prompt alone and of both together part.
    """
    if tokenizer.chat_template:
        head = _ids(tokenizer, templated(tokenizer, prompt, True))
        whole = _ids(tokenizer, templated(tokenizer, [*prompt, *answer], False))
    else:
        first = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        last = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        asked = joined(prompt) + between
        head = first + _ids(tokenizer, asked)
        whole = first + _ids(tokenizer, asked + joined(answer)) + last
    # The first token has nothing before it that could tell its chance.
    start = max(1, len(os.path.commonprefix([head, whole])))
    return Encoded(tuple(whole), start=start)


def offsets_of(tokenizer: Any, prompt: Talk, answer: Talk, between: str) -> list[tuple[int, int]]:
    """Where each token of `as_continuation` stands in the answer's text: code points, end exclusive, an empty
    range for a token outside it. InputError for a tokenizer without offsets, or a template that alters answers.
    """
    said, edges = joined(answer), (0, 0)
    if tokenizer.chat_template:
        text = templated(tokenizer, [*prompt, *answer], False)
    else:
        text = joined(prompt) + between + said
        edges = (int(tokenizer.bos_token_id is not None), int(tokenizer.eos_token_id is not None))
    begin = text.rfind(said)
    if begin < 0:
        raise InputError("the model's chat template alters the answer", hint="use a model whose template does not")
    if not tokenizer.is_fast:
        raise InputError("the tokenizer does not tell where its tokens stand", hint="use a model with tokenizer.json")
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    clipped = [(min(max(a - begin, 0), len(said)), min(max(b - begin, 0), len(said))) for a, b in found]
    return [(0, 0)] * edges[0] + clipped + [(0, 0)] * edges[1]


def templated(tokenizer: Any, talk: Talk, ask: bool) -> str:
    """The conversation by the chat template; RowError when the template will not have it."""
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template([dict(m) for m in talk], add_generation_prompt=ask, tokenize=False)
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in talk)
        raise RowError(f"the model's chat template refuses roles {roles}: {error}") from error
    return text


def joined(talk: Talk) -> str:
    """The contents of messages, a blank line between them."""
    return "\n\n".join(message["content"] for message in talk)


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
