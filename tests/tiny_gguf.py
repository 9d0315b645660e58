"""A language model and an image encoder of random weights in llama.cpp's format: real files, nothing learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WIDTH, HEADS, LAYERS, INNER, CONTEXT = 64, 4, 2, 128, 4096
SIDE, PATCH = 32, 16
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"


def byte_letters() -> list[str]:
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = iter(range(256, 512))
    return [chr(byte if byte in plain else next(extra)) for byte in range(256)]


def write_language_model(path: Path) -> None:
    """A Llama of two layers whose tokens are bytes and three pairs of letters."""
    from gguf import GGUFWriter, TokenType

    rng = np.random.default_rng(0)
    letters = byte_letters()
    merges = [f"{letters[ord(a)]} {letters[ord(b)]}" for a, b in (("t", "h"), ("i", "n"), (" ", "a"))]
    tokens = [*letters, *(merge.replace(" ", "") for merge in merges), "<s>", "</s>", "<pad>"]
    file = GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(tokens)
    file.add_token_types([TokenType.NORMAL] * (len(tokens) - 3) + [TokenType.CONTROL] * 3)
    file.add_token_merges(merges)
    file.add_bos_token_id(len(tokens) - 3)
    file.add_eos_token_id(len(tokens) - 2)
    file.add_pad_token_id(len(tokens) - 1)
    file.add_add_bos_token(False)
    file.add_chat_template(TEMPLATE)

    def add(name: str, *shape: int) -> None:
        value = np.ones(shape) if "norm" in name else rng.normal(0, 0.4 / np.sqrt(WIDTH), shape)
        file.add_tensor(f"{name}.weight", value.astype(np.float32))

    # The first number of every vector is large, and what is no plain letter is disliked by it: random
    # bytes are no UTF-8, and a server gives no log-probabilities for half a letter.
    inward, outward = rng.normal(0, 1, (2, len(tokens), WIDTH))
    inward[:, 0] = 4
    plain = [len(token) < 3 and all(32 <= letters.index(letter) < 127 for letter in token) for token in tokens]
    outward[:, 0] = np.where(plain, 0, -30)
    file.add_tensor("token_embd.weight", inward.astype(np.float32))
    file.add_tensor("output.weight", outward.astype(np.float32))
    add("output_norm", WIDTH)
    for k in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{k}.{name}", WIDTH, WIDTH)
        add(f"blk.{k}.attn_norm", WIDTH)
        add(f"blk.{k}.ffn_norm", WIDTH)
        add(f"blk.{k}.ffn_gate", INNER, WIDTH)
        add(f"blk.{k}.ffn_up", INNER, WIDTH)
        add(f"blk.{k}.ffn_down", WIDTH, INNER)
    _written(file)


def write_image_encoder(path: Path) -> None:
    """A vision transformer of two layers and its projector onto the language model's width."""
    from gguf import GGUFWriter

    rng = np.random.default_rng(1)
    file = GGUFWriter(path, "clip")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "mlp")
    file.add_bool("clip.use_gelu", True)
    for name, value in {
        "image_size": SIDE, "patch_size": PATCH, "embedding_length": WIDTH, "feed_forward_length": INNER,
        "block_count": LAYERS, "attention.head_count": HEADS, "projection_dim": WIDTH,
    }.items():  # fmt: skip
        file.add_uint32(f"clip.vision.{name}", value)
    file.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    file.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    file.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    def add(name: str, *shape: int) -> None:
        value = np.ones(shape) if "ln" in name and name.endswith("weight") else rng.normal(0, 0.05, shape)
        file.add_tensor(name, value.astype(np.float32))

    def add_layer(name: str, rows: int, columns: int = 0) -> None:
        add(f"{name}.weight", *((rows, columns) if columns else (rows,)))
        add(f"{name}.bias", rows)

    add("v.class_embd", WIDTH)
    add("v.patch_embd.weight", WIDTH, 3, PATCH, PATCH)
    add("v.position_embd.weight", (SIDE // PATCH) ** 2 + 1, WIDTH)
    add_layer("v.pre_ln", WIDTH)
    for k in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add_layer(f"v.blk.{k}.{name}", WIDTH, WIDTH)
        add_layer(f"v.blk.{k}.ln1", WIDTH)
        add_layer(f"v.blk.{k}.ln2", WIDTH)
        add_layer(f"v.blk.{k}.ffn_up", INNER, WIDTH)
        add_layer(f"v.blk.{k}.ffn_down", WIDTH, INNER)
    add_layer("mm.0", WIDTH, WIDTH)
    add_layer("mm.2", WIDTH, WIDTH)
    _written(file)


def _written(file: object) -> None:
    file.write_header_to_file()  # type: ignore[attr-defined]
    file.write_kv_data_to_file()  # type: ignore[attr-defined]
    file.write_tensors_to_file()  # type: ignore[attr-defined]
    file.close()  # type: ignore[attr-defined]
