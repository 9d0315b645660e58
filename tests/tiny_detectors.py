"""Detectors and captioners with random weights, saved as their users would find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .tiny_pipelines import _clip_tokenizer
from .tiny_vision import VISION, WORDS, _bert_tokenizer, _processor


def owl_folder(folder: Path, version: int = 1) -> Path:
    """An OWL-ViT, or an OWLv2."""
    import torch
    import transformers as hf

    family = "Owlv2" if version == 2 else "OwlViT"
    text = VISION | {"vocab_size": 514, "max_position_embeddings": 32, "bos_token_id": 512, "eos_token_id": 513}
    torch.manual_seed(11)
    config = getattr(hf, f"{family}Config")(
        text_config=text, vision_config=VISION | {"image_size": 32, "patch_size": 8}, projection_dim=32
    )
    network = getattr(hf, f"{family}ForObjectDetection")(config)
    for weights in network.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=0.3)
    network.save_pretrained(folder)
    _clip_tokenizer(folder).save_pretrained(folder)
    getattr(hf, f"{family}ImageProcessor")(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def grounding_folder(folder: Path) -> Path:
    """A Grounding DINO: a Swin of two stages, a BERT, one layer each."""
    import torch
    import transformers as hf

    text = VISION | {"vocab_size": len(WORDS), "max_position_embeddings": 64, "model_type": "bert"}
    swin = {
        "model_type": "swin", "image_size": 64, "patch_size": 4, "embed_dim": 8, "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2], "window_size": 4, "out_features": ["stage2", "stage3", "stage4"],
    }  # fmt: skip
    torch.manual_seed(12)
    config = hf.GroundingDinoConfig(
        backbone_config=hf.SwinConfig(**{k: v for k, v in swin.items() if k != "model_type"}),
        text_config=hf.BertConfig(**{k: v for k, v in text.items() if k != "model_type"}),
        num_queries=8, encoder_layers=2, encoder_ffn_dim=32, encoder_attention_heads=2, decoder_layers=2,
        decoder_ffn_dim=32, decoder_attention_heads=2, d_model=32, num_feature_levels=4, max_text_len=64,
        encoder_n_points=2, decoder_n_points=2, positional_embedding_temperature=20,
    )  # fmt: skip
    network = hf.GroundingDinoForObjectDetection(config)
    for weights in network.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=0.2)
    network.save_pretrained(folder)
    _bert_tokenizer(folder).save_pretrained(folder)
    hf.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(folder)
    return folder


def captioner_folder(folder: Path) -> Any:
    """A BLIP that writes captions."""
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    marks = {"bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0, "initializer_range": 0.8}
    text = VISION | {"vocab_size": len(WORDS), "max_position_embeddings": 48, "encoder_hidden_size": 32} | marks
    vision = VISION | {"image_size": 32, "patch_size": 8, "initializer_range": 0.5}
    torch.manual_seed(13)
    BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    _bert_tokenizer(folder).save_pretrained(folder)
    _processor(BlipImageProcessor, 32).save_pretrained(folder)
    return folder
