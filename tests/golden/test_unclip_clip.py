"""Karlo's CLIP, read into open_clip's modules, and its tokenizer, against the reference."""

from typing import Any

import torch
from safetensors.torch import load_file
from test_unclip_networks import cases, close, loaded
from torch import Tensor

from nodes.checkpoints.transformers_clip import clip_config, clip_to_ours
from nodes.networks.clip.network import Clip, clip_pixels, clip_tokenize
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
    """Each case that has ids of its own; with a mask the text itself is read alike, as padding comes after it."""
    tensors, meta = golden.load(FILE)
    clip, found = tiny_clip(golden), cases(golden, tensors, "text_encoder")
    ids = next(case["in.input_ids"] for case in found.values() if "in.input_ids" in case)
    masks = [case[n] for case in found.values() for n in case if n.startswith("in.attention_mask")]
    for name, case in found.items():
        mask = case.get("in.attention_mask", case.get("in.attention_mask_unused", masks[0])).bool()
        states = hidden(clip.text)
        reading = clip.read(Tokens(case.get("in.input_ids", ids), mask))
        close(f"{name} text_embeds", reading.embedding, case["out.text_embeds"])
        masked = "attention_mask=" in meta["cases"][f"text_encoder.{name}"]["call"]
        told = mask if masked else torch.ones_like(mask)
        close(f"{name} tokens", reading.tokens[told], case["out.last_hidden_state"][told])
        for number, state in enumerate(states):
            if (expected := case.get(f"out.hidden_states.{number}")) is not None:
                close(f"{name} hidden {number}", state, expected)


def test_pictures(golden) -> None:
    tensors, _ = golden.load(FILE)
    for name, case in cases(golden, tensors, "image_encoder").items():
        clip = tiny_clip(golden)
        assert clip.image is not None
        states = hidden(clip.image)
        embeds = clip.image(case["in.pixel_values"])
        close(f"{name} image_embeds", embeds, case["out.image_embeds"])
        for number, state in enumerate(states):
            if (expected := case.get(f"out.hidden_states.{number}")) is not None:
                close(f"{name} hidden {number}", state[-len(expected) :], expected)
        if (last := case.get("out.last_hidden_state")) is not None:
            close(f"{name} last", states[-1], last)


def test_pictures_as_clip_takes_them(golden) -> None:
    """As one of both processors of the reference, which differ by one level of 255."""
    tensors, _ = golden.load(FILE)
    config = tiny_clip(golden).config
    for name, case in cases(golden, tensors, "image_processor").items():
        image = case["in.image_uint8_hwc"].permute(2, 0, 1)[None].float() / 127.5 - 1
        made = clip_pixels(image, config)
        close(name, made, case["out.pixel_values_torchvision"], 1e-5)


def test_tokens_of_the_folder(golden) -> None:
    meta = golden.meta("unclip_tokenizer")
    given, prompts = golden.part(meta, "tiny_transformers"), meta["prompts"]
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
    given = golden.part(meta, "clip_vit_l14_vocab")
    kinds = {"transformers_pad_bang": "clip_padded", "openai_simple_tokenizer": "clip"}
    for name, kind in kinds.items():
        if name not in given:
            continue
        config = ClipConfig(text={}, tokenizer=ClipTokenizerConfig(kind))
        for prompt, row in zip(meta["prompts"], given[name], strict=True):
            if row is not None:
                found = clip_tokenize(config, [prompt])
                assert found.ids[0, : len(row)].tolist() == row, (kind, prompt)
                assert found.ids[0, len(row) :].eq(0).all()
