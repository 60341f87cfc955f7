"""Karlo's CLIP, read into open_clip's modules, and its tokenizer, against the reference."""

from typing import Any

import torch
from safetensors.torch import load_file
from test_unclip_networks import cases, close, loaded
from torch import Tensor

from nodes.checkpoints.transformers_clip import clip_config, clip_to_ours
from nodes.networks.clip import Clip, clip_pixels, clip_tokenize
from nodes.networks.config import ClipConfig, ClipTokenizerConfig
from nodes.networks.tokenizer import Tokens

FILE, FOLDER = "unclip_components", "unclip_tiny_karlo_variations"


def tiny_clip(golden) -> Clip:
    towers = ("text_encoder", "image_encoder")
    text, image = (golden.record(f"{FOLDER}/{tower}/config.json") for tower in towers)
    config = clip_config(
        text, image, golden.record(f"{FOLDER}/feature_extractor/preprocessor_config.json")
    )
    files = [load_file(golden.path(f"{FOLDER}/{tower}/model.safetensors")) for tower in towers]
    with torch.device("meta"):
        clip = Clip(config)
    return loaded(clip, clip_to_ours(*files))


def hidden(tower: Any) -> list[Tensor]:
    """Filled, in the next call, with what goes into the first block and comes out of every block."""
    found: list[Tensor] = []
    blocks = tower.transformer.resblocks
    blocks[0].register_forward_pre_hook(lambda _module, given: found.append(given[0]))
    for block in blocks:
        block.register_forward_hook(lambda _module, _given, output: found.append(output))
    return found


def test_text(golden) -> None:
    tensors, _ = golden.load(FILE)
    clip, found = tiny_clip(golden), cases(tensors, "text_encoder")
    plain, masked = found["plain"], found["masked"]
    mask = plain["in.attention_mask_unused"].bool()
    states = hidden(clip.text)
    reading = clip.read(Tokens(plain["in.input_ids"], mask))
    close("text_embeds", reading.embedding, plain["out.text_embeds"])
    close("tokens", reading.tokens, plain["out.last_hidden_state"])
    for number, state in enumerate(states):
        close(f"hidden {number}", state, plain[f"out.hidden_states.{number}"])
    # Padding comes after the text: with or without a mask the text itself is read alike.
    close("masked", reading.embedding, masked["out.text_embeds"])
    close("masked tokens", reading.tokens[mask], masked["out.last_hidden_state"][mask])


def test_pictures(golden) -> None:
    tensors, _ = golden.load(FILE)
    clip, case = tiny_clip(golden), cases(tensors, "image_encoder")["0"]
    assert clip.image is not None
    states = hidden(clip.image)
    close("image_embeds", clip.image(case["in.pixel_values"]), case["out.image_embeds"])
    for number, state in enumerate(states):
        close(f"hidden {number}", state[-1:], case[f"out.hidden_states.{number}"])
    close("last", states[-1], case["out.last_hidden_state"])


def test_pictures_as_clip_takes_them(golden) -> None:
    """As one of both processors of the reference, which differ by one level of 255."""
    tensors, _ = golden.load(FILE)
    config = tiny_clip(golden).config
    for name, case in cases(tensors, "image_processor").items():
        image = case["in.image_uint8_hwc"].permute(2, 0, 1)[None].float() / 127.5 - 1
        made = clip_pixels(image, config)
        close(name, made, case["out.pixel_values_torchvision"], 1e-5)


def test_tokens_of_the_folder(golden) -> None:
    meta = golden.meta("unclip_tokenizer")
    given, prompts = meta["tiny_transformers"], meta["prompts"]
    folder = golden.path(f"{FOLDER}/tokenizer")
    config = ClipConfig(
        text={"context_length": given["model_max_length"]},
        tokenizer=ClipTokenizerConfig("folder", str(folder)),
    )
    found = clip_tokenize(config, prompts)
    assert found.ids.tolist() == given["input_ids"]
    assert found.mask.sum(1).tolist() == given["num_true_in_mask"]


def test_tokens_of_the_published_vocabulary(golden) -> None:
    meta = golden.meta("unclip_tokenizer")
    given, kinds = meta["clip_vit_l14_vocab"], ("clip_padded", "clip")
    names = ("transformers_pad_bang", "openai_simple_tokenizer")
    for kind, name in zip(kinds, names, strict=True):
        config = ClipConfig(text={}, tokenizer=ClipTokenizerConfig(kind))
        for prompt, row in zip(meta["prompts"], given[name], strict=True):
            if row is not None:
                found = clip_tokenize(config, [prompt])
                assert found.ids[0, : len(row)].tolist() == row, (kind, prompt)
                assert found.ids[0, len(row) :].eq(0).all()
