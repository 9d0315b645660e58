"""A processor for a small vision-language model, made on the spot: CLIP's image side, the tiny Llama's tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .tiny_llama import tiny_llama

SIDE: Final = 16
PATCH: Final = 8
_TEMPLATE: Final = (
    "{% for m in messages %}<{{ m['role'] }}> {% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
)


def processor(folder: Path) -> Any:
    """A LLaVA processor: each image becomes (16 / 8)² tokens."""
    from transformers import AutoTokenizer, CLIPImageProcessor, LlavaProcessor

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama(folder))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    images = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, do_convert_rgb=True
    )
    return LlavaProcessor(
        image_processor=images, tokenizer=tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
        chat_template=_TEMPLATE, image_token="<image>", num_additional_image_tokens=1,
    )  # fmt: skip
