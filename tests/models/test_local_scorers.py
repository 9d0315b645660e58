"""Reward and language models in this process with random weights, against computations made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.errors import InputError, RowError
from rather.models.talks import Talk

from ..tiny_llama import tiny_llama

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
pytestmark = pytest.mark.full

TALKS: list[tuple[Talk, Talk]] = [
    ([{"role": "user", "content": asked}], [{"role": "assistant", "content": said}])
    for asked, said in (("which stone", "a river stone"), ("why", "kind"), ("which", "exact " * 14), ("why", "kind"))
]


def split(talks: list[tuple[Talk, Talk]]) -> tuple[list[Talk], list[Talk]]:
    return [p for p, _ in talks], [a for _, a in talks]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def plain(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same language model without a chat template."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("plain")
    tokenizer = AutoTokenizer.from_pretrained(llama)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    AutoModelForCausalLM.from_pretrained(llama).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rewarding(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with a reward head of random weights."""
    return classifier(llama, tmp_path_factory.mktemp("reward"), 1)


def classifier(llama: Path, folder: Path, outputs: int) -> Path:
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig.from_pretrained(llama)
    config.num_labels = outputs
    torch.manual_seed(1)
    model = LlamaForSequenceClassification(config)
    torch.nn.init.normal_(model.score.weight)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(llama).save_pretrained(folder)
    return folder


def rewards(folder: Path, talks: list[tuple[Talk, Talk]], **options: Any) -> np.ndarray:
    from rather.models.reward_model import RewardModelSpec

    return RewardModelSpec(name=str(folder), device="cpu", **options).load().rewards(*split(talks))


def logprobs(folder: Path, talks: list[tuple[Talk, Talk]], **options: Any) -> tuple[np.ndarray, np.ndarray]:
    from rather.models.causal_lm import CausalLMSpec

    return CausalLMSpec(name=str(folder), device="cpu", **options).load().logprobs(*split(talks))


def test_a_reward_is_the_score_of_the_last_token(rewarding: Path) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaForSequenceClassification

    model = LlamaForSequenceClassification.from_pretrained(rewarding).eval()
    tokenizer = AutoTokenizer.from_pretrained(rewarding)
    expected = []
    for prompt, answer in TALKS:
        text = f"<user> {prompt[0]['content']}<assistant> {answer[0]['content']}"
        with torch.no_grad():
            states = model.model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state
            expected.append(float(states[0, -1] @ model.score.weight[0]))
    found = rewards(rewarding, TALKS)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found[1] == found[3] and len(set(found)) == 3


def test_alone_in_company_or_the_other_way_round(rewarding: Path, llama: Path) -> None:
    for read in (lambda t: rewards(rewarding, t), lambda t: logprobs(llama, t)[0]):
        together = read(TALKS)
        assert [read([talk])[0] for talk in TALKS] == together.tolist()
        assert read(TALKS[::-1])[::-1].tolist() == together.tolist()


def test_padded_groups_give_the_same_up_to_rounding(rewarding: Path, llama: Path) -> None:
    """What an accelerator does, done here: groups of one shape, so that a text's bits do not depend on the others."""
    from rather.models.causal_lm import CausalLMSpec
    from rather.models.reward_model import RewardModelSpec

    for spec, read in (
        (RewardModelSpec(name=str(rewarding), device="cpu", tokens=256), "rewards"),
        (CausalLMSpec(name=str(llama), device="cpu", tokens=256), "logprobs"),
    ):
        model = spec.load()
        alone = np.array(getattr(model, read)(*split(TALKS)))
        model._passes._alone = False
        padded = np.array(getattr(model, read)(*split(TALKS)))
        assert padded == pytest.approx(alone, abs=1e-5) and not (padded == 0).all()
        shapes = [len(group) for group, _ in model._passes._groups(*groups_of(model, TALKS))]
        assert shapes == [4], "three texts of at most 64 tokens, and one of them again"


def groups_of(model: Any, talks: list[tuple[Talk, Talk]]) -> tuple[list[Any], list[int]]:
    from rather.models.passes import Encoded

    texts = [Encoded(tuple(range(3 + k))) for k in range(len(talks) - 1)]
    return texts, list(range(len(texts)))


@pytest.mark.parametrize("template", [True, False])
def test_log_probabilities_of_the_answer_alone(llama: Path, plain: Path, template: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = llama if template else plain
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    sums, counts = logprobs(folder, TALKS)
    for (prompt, answer), total, n in zip(TALKS, sums, counts, strict=True):
        asked, said = prompt[0]["content"], answer[0]["content"]
        if template:
            whole = tokenizer(f"<user> {asked}<assistant> {said}")["input_ids"]
            start = len(tokenizer(f"<user> {asked}")["input_ids"])
        else:
            whole = [0, *tokenizer(asked + said, add_special_tokens=False)["input_ids"], 1]
            start = 1 + len(tokenizer(asked, add_special_tokens=False)["input_ids"])
        with torch.no_grad():
            chances = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        expected = sum(float(chances[k - 1, whole[k]]) for k in range(start, len(whole)))
        assert n == len(whole) - start and total == pytest.approx(expected, abs=1e-4)


def test_what_is_too_long_has_no_number(rewarding: Path, llama: Path) -> None:
    long = ([{"role": "user", "content": "why"}], [{"role": "assistant", "content": "\x01" * 300}])
    assert np.isnan(rewards(rewarding, [*TALKS, long])).tolist() == [False] * 4 + [True]
    sums, counts = logprobs(llama, [long, *TALKS], max_tokens=8)
    assert np.isnan(sums).all() or not np.isnan(sums[2])
    assert np.isnan(sums[0]) and np.isnan(counts[0])


def test_which_output_is_the_reward(llama: Path, tmp_path: Path) -> None:
    folder = classifier(llama, tmp_path, 3)
    with pytest.raises(InputError, match="has 3 outputs"):
        rewards(folder, TALKS)
    assert len({tuple(rewards(folder, TALKS, output=k)) for k in range(3)}) == 3
    with pytest.raises(InputError, match="no output 3"):
        rewards(folder, TALKS, output=3)
    with pytest.raises(InputError, match="does not load"):
        rewards(tmp_path / "missing", TALKS)


def test_segments_of_a_pair_reach_a_classifier_that_has_them(tmp_path: Path) -> None:
    """A BERT reads prompt and answer as two segments; swapping them is another text."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "why", "kind", "stone"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(str(tmp_path / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1,
        max_position_embeddings=32, initializer_range=1.0,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    talk = ([{"role": "user", "content": "why"}], [{"role": "assistant", "content": "kind stone"}])
    ids, kinds = [2, 5, 3, 6, 7, 3], [0, 0, 0, 1, 1, 1]
    with torch.no_grad():
        expected = float(model(torch.tensor([ids]), token_type_ids=torch.tensor([kinds])).logits[0, 0])
        unlike = float(model(torch.tensor([ids])).logits[0, 0])
    assert rewards(tmp_path, [talk]) == pytest.approx([expected], abs=1e-5) and abs(expected - unlike) > 1e-3


def test_roles_a_template_refuses_fail_their_row(llama: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(llama)
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system messages') }}{% endif %}x"
    )
    tokenizer.save_pretrained(tmp_path)
    AutoModelForCausalLM.from_pretrained(llama).save_pretrained(tmp_path)
    with pytest.raises(RowError, match="no system messages"):
        logprobs(tmp_path, [([{"role": "system", "content": "s"}], [{"role": "assistant", "content": "a"}])])
