"""The in-process chat model with a tiny random Llama: alone or in company the same, seeds, ends, log-probabilities."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallRefused, InputError
from rather.core.paid import Reply

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
pytestmark = pytest.mark.full

TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers over bytes, saved as transformers saves it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {token: i for i, token in enumerate(["<s>", "</s>", "<pad>", *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=TEMPLATE
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        bos_token_id=0, eos_token_id=1, pad_token_id=2, initializer_range=0.3,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("llama")
    LlamaForCausalLM(config).save_pretrained(path)
    fast.save_pretrained(path)
    return path


def ask(folder: Path, *requests: dict[str, Any]) -> list[Any]:
    """Replies to requests made at once."""
    from rather.models.transformers_chat import TransformersSpec

    async def calls() -> list[Any]:
        backend = TransformersSpec(name=str(folder), device="cpu", dtype="float32", batch=4).load()
        found = await asyncio.gather(*(backend.call(request) for request in requests), return_exceptions=True)
        await backend.close()
        return found

    return asyncio.run(calls())


def request(text: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "temperature": 0.0, "max_tokens": 8, **fields}


def test_greedy_replies_are_the_same_alone_and_in_company(folder: Path) -> None:
    texts = ["short", "a much longer request than the other one " * 3, "third", "fourth", "fifth", "sixth"]
    together = ask(folder, *(request(text) for text in texts))
    assert [reply.text for reply in together] == [ask(folder, request(text))[0].text for text in texts]
    assert all(isinstance(r, Reply) and 0 < r.tokens_out <= 8 for r in together)
    assert together[0].tokens_in == len("<user>short<assistant>")


def test_what_is_sampled_follows_its_seed_whatever_is_beside_it(folder: Path) -> None:
    mine = request("say", temperature=1.5, seed=4, n=3)
    (alone,) = ask(folder, mine)
    among = ask(folder, request("other", temperature=1.5, seed=9), mine, request("say", temperature=1.5, seed=5, n=3))
    assert among[1] == alone and among[2].data != alone.data
    assert len(alone.data["texts"]) == 3 and len(set(alone.data["texts"])) > 1


def test_logprobs_belong_to_the_tokens_and_are_chances(folder: Path) -> None:
    (reply,) = ask(folder, request("x", logprobs=300, max_tokens=3))
    (tokens,) = reply.data["logprobs"]
    assert "".join(token["token"] for token in tokens if not token["token"].startswith("<")) == reply.text
    for token in tokens:
        assert sum(math.exp(p) for _, p in token["top"]) == pytest.approx(1, abs=1e-3)
        assert token["logprob"] == pytest.approx(max(p for _, p in token["top"]), abs=1e-5)


def test_ends_and_stop_strings(folder: Path) -> None:
    (whole,) = ask(folder, request("x", max_tokens=12))
    assert whole.finish == "length" and whole.tokens_out == 12
    mark = whole.text[3]
    (cut,) = ask(folder, request("x", max_tokens=12, stop=[mark]))
    assert cut.text == whole.text.partition(mark)[0] and cut.finish == "stop"


def test_what_it_cannot_do_is_said(folder: Path) -> None:
    image = [{"type": "image", "data": "QUJD", "mime": "image/png"}]
    many, blind = ask(folder, request("x", n=2), {**request("x"), "messages": [{"role": "user", "content": image}]})
    assert isinstance(many, CallRefused) and "temperature" in many.show()
    assert isinstance(blind, CallRefused) and "sees no images" in blind.show()
    with pytest.raises(InputError, match="does not load"):
        ask(folder / "missing", request("x"))
