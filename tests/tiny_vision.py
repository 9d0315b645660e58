"""Models that see, with random weights and a few thousand parameters, saved as their users would find them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .tiny_pipelines import _clip_tokenizer

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "hat", "on", "the", "beach", "dog", "two")
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}


def open_clip_folder(folder: Path) -> Path:
    """A CLIP of OpenCLIP: open_clip_config.json and open_clip_model.safetensors."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    vision = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    shape = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    torch.manual_seed(3)
    model = open_clip.CLIP(**shape)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    told = {"model_cfg": shape, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"}}
    (folder / "open_clip_config.json").write_text(json.dumps(told))
    return folder


def open_clip_siglip_folder(folder: Path) -> Path:
    """A SigLIP of OpenCLIP: a timm tower, a tokenizer of transformers, texts of one length without a mask."""
    import open_clip
    from safetensors.torch import save_file

    tower = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "token", "timm_proj": "none", "image_size": 224}
    text = {
        "context_length": 12, "vocab_size": len(WORDS), "width": 16, "heads": 2, "layers": 1, "pool_type": "last",
        "hf_tokenizer_name": "some/tokenizer", "no_causal_mask": True, "proj_bias": True,
    }  # fmt: skip
    shape = {"embed_dim": 192, "custom_text": True, "init_logit_bias": -10, "vision_cfg": tower, "text_cfg": text}
    folder.mkdir(parents=True, exist_ok=True)
    told = {"model_cfg": shape, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}}
    (folder / "open_clip_config.json").write_text(json.dumps(told))
    _word_tokenizer().save_pretrained(folder)
    network = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def clip_folder(folder: Path) -> Path:
    """A CLIP of transformers, as PickScore is published."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    text = VISION | {"vocab_size": 514, "max_position_embeddings": 16, "bos_token_id": 512, "eos_token_id": 513}
    vision = VISION | {"image_size": 32, "patch_size": 8}
    torch.manual_seed(4)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24, initializer_factor=3.0)
    CLIPModel(config).save_pretrained(folder)
    _clip_tokenizer(folder).save_pretrained(folder)
    _processor(CLIPImageProcessor, 32).save_pretrained(folder)
    return folder


def siglip_folder(folder: Path) -> Path:
    """A SigLIP: no mask, texts of one length."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    text = VISION | {"vocab_size": len(WORDS), "max_position_embeddings": 12, "projection_size": 32}
    torch.manual_seed(8)
    config = SiglipConfig(text_config=text, vision_config=VISION | {"image_size": 32, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
    _word_tokenizer().save_pretrained(folder)
    _processor(SiglipImageProcessor, 32).save_pretrained(folder)
    return folder


def align_folder(folder: Path) -> Path:
    """An ALIGN: one stage of EfficientNet and a BERT."""
    import torch
    from transformers import AlignConfig, AlignModel, EfficientNetImageProcessor

    vision = {
        "image_size": 32, "width_coefficient": 1.0, "depth_coefficient": 1.0, "kernel_sizes": [3], "in_channels": [32],
        "out_channels": [24], "strides": [1], "num_block_repeats": [1], "expand_ratios": [1], "hidden_dim": 24,
    }  # fmt: skip
    text = VISION | {"vocab_size": len(WORDS), "max_position_embeddings": 64, "initializer_range": 0.5}
    torch.manual_seed(5)
    config = AlignConfig(text_config=text, vision_config=vision, projection_dim=24, temperature_init_value=0.25)
    AlignModel(config).save_pretrained(folder)
    _bert_tokenizer(folder).save_pretrained(folder)
    _processor(EfficientNetImageProcessor, 32).save_pretrained(folder)
    return folder


def blip_folder(folder: Path) -> Path:
    """A BLIP for retrieval: towers, their projections and the matching head."""
    import torch
    from transformers import BlipConfig, BlipForImageTextRetrieval, BlipImageProcessor

    text = VISION | {"vocab_size": len(WORDS), "max_position_embeddings": 48, "encoder_hidden_size": 32}
    vision = VISION | {"image_size": 32, "patch_size": 8, "initializer_range": 0.3}
    torch.manual_seed(6)
    marks = {"initializer_range": 0.5, "bos_token_id": 2, "sep_token_id": 3}
    config = BlipConfig(text_config=text | marks, vision_config=vision, image_text_hidden_size=20)
    model = BlipForImageTextRetrieval(config)
    for layer in (model.vision_proj, model.text_proj, model.itm_head):
        torch.nn.init.normal_(layer.weight)
    model.save_pretrained(folder)
    _bert_tokenizer(folder).save_pretrained(folder)
    _processor(BlipImageProcessor, 32).save_pretrained(folder)
    return folder


def dino_folder(folder: Path, registers: int = 0) -> Path:
    """A DINOv2, with or without register tokens."""
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig
    from transformers import Dinov2WithRegistersModel as WithRegisters

    torch.manual_seed(7)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 7}
    if registers:
        WithRegisters(Dinov2WithRegistersConfig(**shape, num_register_tokens=registers)).save_pretrained(folder)
    else:
        Dinov2Model(Dinov2Config(**shape)).save_pretrained(folder)
    _processor(BitImageProcessor, 28).save_pretrained(folder)
    return folder


def _processor(family: Any, side: int) -> Any:
    return family(
        size={"height": side, "width": side}
        if family.__name__.startswith(("Blip", "Efficient", "Siglip"))
        else {"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
    )


def _bert_tokenizer(folder: Path) -> Any:
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return BertTokenizerFast(str(folder / "vocab.txt"))


def _word_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({word: k for k, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", model_max_length=12, model_input_names=["input_ids"]
    )
