#!/usr/bin/env python3
"""Make a tiny Stable Diffusion XL with random weights, which InvokeAI installs and runs in seconds on a CPU.

It draws noise. It is for trying the whole way of a job against a real server, nothing else. Run it with the Python of
an InvokeAI installation, which has everything that it imports:

    .venv/bin/python tiny_sdxl.py FOLDER

The folder can then be installed: see docs/invokeai.md.
"""

import argparse
import json
import string
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

# The server tells SDXL from the others by the width of its texts: both encoders together have 2048.
TEXT_WIDTHS = (768, 1280)
CHANNELS = [32, 64]
TOKENS_MAX = 77


def tokenizer(folder: Path) -> CLIPTokenizer:
    """A tokenizer that knows single characters alone."""
    folder.mkdir(parents=True, exist_ok=True)
    characters = string.ascii_lowercase + string.digits + string.punctuation
    words = list(characters) + [c + "</w>" for c in characters] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS_MAX,
                         pad_token="<|endoftext|>", unk_token="<|endoftext|>")


def text_config(width: int, vocabulary: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=width, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=vocabulary,
        projection_dim=width, max_position_embeddings=TOKENS_MAX, bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1,
    )


def unet() -> UNet2DConditionModel:
    time_width = 8
    return UNet2DConditionModel(
        sample_size=32, in_channels=4, out_channels=4, block_out_channels=CHANNELS, layers_per_block=1,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"], up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
        attention_head_dim=[2, 4], transformer_layers_per_block=[1, 1], cross_attention_dim=sum(TEXT_WIDTHS),
        use_linear_projection=True, norm_num_groups=32, addition_embed_type="text_time",
        addition_time_embed_dim=time_width, projection_class_embeddings_input_dim=6 * time_width + TEXT_WIDTHS[1],
    )


def vae() -> AutoencoderKL:
    """Four blocks, because a picture is 8 times as wide as its latents."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, sample_size=256, norm_num_groups=32, layers_per_block=1,
        block_out_channels=[32, 32, 32, 32], down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4, scaling_factor=0.13025,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the random weights")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokens = tokenizer(args.folder / "tokenizer")
    StableDiffusionXLPipeline(
        vae=vae(), unet=unet(), scheduler=EulerDiscreteScheduler(prediction_type="epsilon"),
        text_encoder=CLIPTextModel(text_config(TEXT_WIDTHS[0], len(tokens))),
        text_encoder_2=CLIPTextModelWithProjection(text_config(TEXT_WIDTHS[1], len(tokens))),
        tokenizer=tokens, tokenizer_2=tokens, add_watermarker=False,
    ).save_pretrained(args.folder, safe_serialization=True)
    size = sum(f.stat().st_size for f in args.folder.rglob("*") if f.is_file())
    print(f"{args.folder}: {size >> 20} MiB of random weights")


if __name__ == "__main__":
    main()
