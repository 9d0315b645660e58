"""Adapters of a few random weights for the tiny pipelines: LoRAs and IP-Adapters, saved as published ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .tiny_pipelines import unet


def ip_adapter(folder: Path) -> str:
    """An IP-Adapter for `stable_diffusion`, its image encoder beside it; the file's path."""
    import torch
    from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0

    torch.manual_seed(1)
    weights = _projection()
    crossed = [name for name in unet().attn_processors if ".attn2." in name]
    widths = [unet().get_submodule(name.removesuffix(".processor")).to_q.out_features for name in crossed]
    for place, width in zip(range(1, 2 * len(crossed), 2), widths, strict=True):
        processor = IPAdapterAttnProcessor2_0(width, 32, num_tokens=(4,))
        for kind in ("k", "v"):
            weights[f"ip_adapter.{place}.to_{kind}_ip.weight"] = getattr(processor, f"to_{kind}_ip")[0].weight
    return _adapter(folder, weights)


def flux_ip_adapter(folder: Path) -> str:
    """An IP-Adapter for `flux`, its image encoder beside it; the file's path."""
    import torch

    torch.manual_seed(1)
    weights = _projection()
    for kind in ("k", "v"):
        weights |= {f"ip_adapter.0.to_{kind}_ip.weight": torch.randn(32, 32)}
        weights |= {f"ip_adapter.0.to_{kind}_ip.bias": torch.randn(32)}
    return _adapter(folder, weights)


def stable_diffusion_3_ip_adapter(folder: Path) -> str:
    """An IP-Adapter for `stable_diffusion_3`, its image encoder beside it; the file's path."""
    import torch
    from diffusers.models.attention_processor import SD3IPAdapterJointAttnProcessor2_0
    from diffusers.models.embeddings import IPAdapterTimeImageProjection
    from transformers import SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

    torch.manual_seed(1)
    projection = IPAdapterTimeImageProjection(16, 32, 32, heads=1, num_queries=4, timestep_in_dim=8)
    weights = {f"image_proj.{name}": tensor for name, tensor in projection.state_dict().items()}
    for place in range(3):
        processor = SD3IPAdapterJointAttnProcessor2_0(32, 32, 8, timesteps_emb_dim=32)
        weights |= {f"ip_adapter.{place}.{name}": tensor for name, tensor in processor.state_dict().items()}
    config = SiglipVisionConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                                image_size=32, patch_size=16)  # fmt: skip
    SiglipVisionModel(config).save_pretrained(folder / "adapter" / "image_encoder")
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder / "adapter" / "image_encoder")
    return _saved(folder, weights)


def _projection() -> dict[str, Any]:
    import torch

    return {
        "image_proj.proj.weight": torch.randn(4 * 32, 16), "image_proj.proj.bias": torch.zeros(4 * 32),
        "image_proj.norm.weight": torch.ones(32), "image_proj.norm.bias": torch.zeros(32),
    }  # fmt: skip


def _adapter(folder: Path, weights: dict[str, Any]) -> str:
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=16, projection_dim=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        image_size=224, patch_size=32,
    )  # fmt: skip
    place = folder / "adapter"
    CLIPVisionModelWithProjection(config).save_pretrained(place / "image_encoder")
    CLIPImageProcessor().save_pretrained(place / "image_encoder")
    return _saved(folder, weights)


def _saved(folder: Path, weights: dict[str, Any]) -> str:
    from safetensors.torch import save_file

    file = folder / "adapter" / "tiny.safetensors"
    save_file({name: tensor.detach().clone() for name, tensor in weights.items()}, file)
    return str(file)


def lora(folder: Path, seed: int = 2) -> str:
    """LoRA weights for the cross-attention of `stable_diffusion`; the file's path."""
    import torch
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(seed)
    network = unet()
    network.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"]))
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(network))
    return str(folder / "pytorch_lora_weights.safetensors")
