"""A LLaVA-like model of random weights, saved and loaded from a folder as a user would, answers about pictures."""

from __future__ import annotations

import asyncio
import base64
import io
from pathlib import Path

import pytest
from rather.core.paid import Reply
from rather.models.transformers_chat import TransformersSpec

pytest.importorskip("torch")
pytestmark = pytest.mark.full


def picture(color: str) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (20, 24), color).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from ..tiny_vlm import PATCH, SIDE, processor

    folder = tmp_path_factory.mktemp("llava")
    made = processor(folder)
    made.save_pretrained(folder)
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
        patch_size=PATCH,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(made.tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    token = made.tokenizer.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=token, image_token_id=token)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def ask(folder: Path, color: str) -> Reply:
    content = [{"type": "image", "data": picture(color), "mime": "image/png"}, {"type": "text", "text": "what is it?"}]

    async def call() -> Reply:
        backend = TransformersSpec(name=str(folder), images=True).load()
        request = {"messages": [{"role": "user", "content": content}], "max_tokens": 8, "logprobs": 3}
        return await backend.call(request)

    return asyncio.run(call())


def test_the_picture_is_seen(llava: Path) -> None:
    """The same picture gives the same chances of the first token, another picture others."""
    replies = [ask(llava, color) for color in ("red", "red", "blue")]
    first = [reply.data["logprobs"][0][0]["top"] for reply in replies if reply.data]
    assert first[0] == first[1] != first[2] and replies[0].tokens_in > 4


def test_its_chances_are_the_model_s_own(llava: Path) -> None:
    """Logarithms of the chances of the first token, computed with the library alone."""
    import torch
    from PIL import Image
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    network, processor = LlavaForConditionalGeneration.from_pretrained(llava), AutoProcessor.from_pretrained(llava)
    for color in ("red", "blue"):
        inputs = processor(
            images=Image.new("RGB", (20, 24), color), text="<user> <image>what is it?", return_tensors="pt"
        )
        with torch.no_grad():
            best = network.eval()(**inputs).logits[0, -1].log_softmax(-1).topk(3)
        reply = ask(llava, color)
        found = reply.data["logprobs"][0][0]["top"] if reply.data else []
        assert [word for word, _ in found] == [processor.tokenizer.decode([token]) for token in best.indices.tolist()]
        assert [chance for _, chance in found] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert reply.tokens_in == inputs["input_ids"].shape[1]
