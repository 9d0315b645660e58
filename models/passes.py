"""Forward passes of a model in this process, so that a text's numbers do not depend on its company.

On a CPU each text runs alone, without padding. On an accelerator texts are padded to a multiple of
`STEP` tokens and run in groups whose shape follows from that length alone, the last one filled up.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np

from ..core.errors import InputError

Family = Literal["AutoModelForSequenceClassification", "AutoModelForCausalLM"]
DType = Literal["auto", "float32", "bfloat16", "float16"]
STEP: Final = 64
_ABSURD: Final = 1_000_000  # tokenizers without a limit of their own name one far above this


@final
@dataclass(frozen=True)
class Encoded:
    """One text as a model reads it: token ids, segment ids where the tokenizer gives them, and where its
    answer begins (0 where that does not matter)."""

    ids: tuple[int, ...]
    kinds: tuple[int, ...] = ()
    start: int = 0


@final
class Passes:
    """A model with its weights read; may be called from several threads, which take turns."""

    def __init__(self, model: Any, padding: int, most: int, tokens: int, alone: bool) -> None:
        self.model, self.most = model, most
        self._padding, self._tokens, self._alone = padding, tokens, alone
        self._lock = threading.Lock()
        self._short = "logits_to_keep" in inspect.signature(model.forward).parameters

    def read(self, texts: Sequence[Encoded], numbers: int, take: Callable[[Encoded, Any], Sequence[float]]) -> Any:
        """What `take` makes of each text's logits: float64 [n, numbers], NaN for one longer than `most` tokens.

        Of a causal model's logits [positions, vocabulary] the last row belongs to the text's last token.
        """
        distinct: dict[Encoded, int] = {}
        index = np.array([distinct.setdefault(text, len(distinct)) for text in texts], np.int64)
        once = list(distinct)
        found = np.full((len(once), numbers), np.nan)
        able = [i for i, text in enumerate(once) if 0 < len(text.ids) <= self.most]
        with self._lock:
            for group, width in self._groups(once, able):
                logits = self._logits([once[i] for i in group], width)
                for k, i in enumerate(dict.fromkeys(group)):
                    text = once[i]
                    row = logits[k]
                    found[i] = take(text, row if row.dim() == 1 else row[: row.shape[0] - width + len(text.ids)])
        return found[index] if len(index) else found

    def _groups(self, texts: Sequence[Encoded], able: Sequence[int]) -> Iterator[tuple[list[int], int]]:
        """Which texts run together and the length they are padded to."""
        if self._alone:
            yield from (([i], len(texts[i].ids)) for i in able)
            return
        widths: dict[int, list[int]] = {}
        for i in able:
            widths.setdefault(min(-(-len(texts[i].ids) // STEP) * STEP, self.most), []).append(i)
        for width, members in sorted(widths.items()):
            size = max(1, self._tokens // width)
            for start in range(0, len(members), size):
                group = members[start : start + size]
                yield group + group[:1] * (size - len(group)), width

    def _logits(self, texts: Sequence[Encoded], width: int) -> Any:
        import torch

        def padded(rows: Sequence[Sequence[int]], fill: int) -> Any:
            return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], device=self.model.device)

        feed = {
            "input_ids": padded([text.ids for text in texts], self._padding),
            "attention_mask": padded([[1] * len(text.ids) for text in texts], 0),
        }
        if texts[0].kinds:
            feed["token_type_ids"] = padded([text.kinds for text in texts], 0)
        # What precedes the answer needs no logits; beside others it would change the shape of the product.
        short = {"logits_to_keep": width - texts[0].start + 1} if self._alone and self._short and texts[0].start else {}
        with torch.inference_mode():
            return self.model(**feed, **short).logits


def loaded(family: Family, name: str, device: str, dtype: DType, most: int | None, tokens: int) -> tuple[Passes, Any]:
    """The model and its tokenizer; InputError when there are none.

    `auto` is CUDA where there is one, and on a CPU float32. Longest text: `most`, else what the
    tokenizer or the model's configuration says.
    """
    import torch
    import transformers

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto" and device == "cpu":
        dtype = "float32"
    try:
        model: Any = getattr(transformers, family).from_pretrained(name, dtype=dtype)
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        cause = f"the model {name} does not load: {error}".splitlines()[0]
        raise InputError(cause, hint="name a folder or a model on the Hub") from error
    padding = _padding(model, tokenizer)
    limit = min(_limit(model, tokenizer), most or _ABSURD)
    return Passes(model.to(device).eval(), padding, limit, tokens, device == "cpu"), tokenizer


def _padding(model: Any, tokenizer: Any) -> int:
    """The padding token; a model that pools at the last token that is none must know it."""
    config = model.config.get_text_config()
    named = (config.pad_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.bos_token_id)
    padding = next((int(token) for token in (*named, tokenizer.eos_token_id) if token is not None), 0)
    config.pad_token_id = padding
    return padding


def _limit(model: Any, tokenizer: Any) -> int:
    own = int(min(tokenizer.model_max_length, _ABSURD))
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(own, int(positions)) if positions and positions > 0 else own
