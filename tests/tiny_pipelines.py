"""Diffusion pipelines of a few thousand random weights, saved as diffusers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZE = 32
"""Side of the pictures they paint by default, in pixels."""


def _alphabet() -> list[str]:
    """The 256 symbols that stand for bytes in CLIP's vocabulary."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + k) for k in range(len(hidden))]


def _clip_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    letters = _alphabet()
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)


def _t5_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import T5TokenizerFast

    raw = Tokenizer(models.Unigram())
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    raw.train_from_iterator(["a photo of a red dog", "two small cats on a table", "the quick brown fox"], trainer)
    return T5TokenizerFast(tokenizer_object=raw, extra_ids=0, model_max_length=16)


def _clip_text(projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=514, hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16, projection_dim=32, bos_token_id=512, eos_token_id=513,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def _t5_text() -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=60, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    return T5EncoderModel(config).eval()


def _vae(channels: int = 4) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=[4, 8], norm_num_groups=2, in_channels=3, out_channels=3, latent_channels=channels,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, sample_size=SIZE,
        scaling_factor=1.5, shift_factor=0.06,
    ).eval()  # fmt: skip


def unet(xl: bool = False, channels: int = 4) -> Any:
    """The UNet of Stable Diffusion 1, or of XL; 9 channels = made for masks."""
    from diffusers import UNet2DConditionModel

    more: dict[str, Any] = {}
    if xl:
        more = {
            "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "use_linear_projection": True,
            "projection_class_embeddings_input_dim": 6 * 8 + 32,
        }  # fmt: skip
    return UNet2DConditionModel(
        block_out_channels=(4, 8), layers_per_block=1, sample_size=SIZE // 2, in_channels=channels, out_channels=4,
        cross_attention_dim=64 if xl else 32, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **more,
    ).eval()  # fmt: skip


def stable_diffusion(folder: Path, seed: int = 0) -> Path:
    """Stable Diffusion 1."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    torch.manual_seed(seed)
    StableDiffusionPipeline(
        vae=_vae(), text_encoder=_clip_text(), tokenizer=_clip_tokenizer(folder / "words"), unet=unet(),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def stable_diffusion_inpaint(folder: Path) -> Path:
    """Stable Diffusion made for masks: the picture and its mask are channels beside the noise."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    torch.manual_seed(0)
    StableDiffusionInpaintPipeline(
        vae=_vae(), text_encoder=_clip_text(), tokenizer=_clip_tokenizer(folder / "words"), unet=unet(channels=9),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def stable_diffusion_xl(folder: Path) -> Path:
    """Stable Diffusion XL: two text encoders, sizes among the conditions."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    torch.manual_seed(0)
    tokenizer = _clip_tokenizer(folder / "words")
    StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=_clip_text(), text_encoder_2=_clip_text(projected=True), tokenizer=tokenizer,
        tokenizer_2=tokenizer, unet=unet(xl=True), scheduler=EulerDiscreteScheduler(),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def stable_diffusion_3(folder: Path) -> Path:
    """Stable Diffusion 3.5: a transformer, flow matching, three text encoders."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(0)
    tokenizer = _clip_tokenizer(folder / "words")
    transformer = SD3Transformer2DModel(
        sample_size=SIZE // 2, patch_size=1, in_channels=16, num_layers=2, attention_head_dim=8, num_attention_heads=4,
        caption_projection_dim=32, joint_attention_dim=32, pooled_projection_dim=64, out_channels=16,
        qk_norm="rms_norm", dual_attention_layers=(0,),
    ).eval()  # fmt: skip
    StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(), vae=_vae(16),
        text_encoder=_clip_text(projected=True), tokenizer=tokenizer, text_encoder_2=_clip_text(projected=True),
        tokenizer_2=tokenizer, text_encoder_3=_t5_text(), tokenizer_3=_t5_tokenizer(),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def flux(folder: Path, kind: str = "FluxPipeline") -> Path:
    """Flux; FluxKontextPipeline takes a reference picture, FluxFillPipeline is made for masks."""
    import diffusers
    import torch

    torch.manual_seed(0)
    channels = 4 + (4 + 16 if kind == "FluxFillPipeline" else 0)  # beside the noise: the picture, the mask's pixels
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=channels, out_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=[4, 4, 8],
    ).eval()  # fmt: skip
    getattr(diffusers, kind)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=_vae(1), text_encoder=_clip_text(),
        tokenizer=_clip_tokenizer(folder / "words"), text_encoder_2=_t5_text(), tokenizer_2=_t5_tokenizer(),
        transformer=transformer,
    ).save_pretrained(folder)  # fmt: skip
    return folder
