"""What a text loses on its way into a network is said: words that are unknown, and the end that does not fit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import WORDS, context

import nodegraph
from nodegraph.runtime.warn import Warned, collecting
from nodes.checkpoints.open_clip import open_clip_config
from nodes.diffusion.denoisers import Denoiser
from nodes.library.clip import clip_rerank, clip_score, clip_text
from nodes.library.conditioning import decoder_conditions, upsampler_conditions
from nodes.library.denoising import unet_denoiser
from nodes.library.guidance import clip_guidance
from nodes.library.text import text_encoder
from nodes.models.clip import Clip
from nodes.models.handle import parsed
from nodes.models.noised_clip import NoisedClip
from nodes.models.reading import warn_of_left_out
from nodes.models.unet import UNet
from nodes.networks.bpe import byte_alphabet
from nodes.networks.clip.network import clip_left_out, clip_tokenize
from nodes.networks.config import (
    ClipConfig,
    ClipTokenizerConfig,
    NoisedClipConfig,
    TextConfig,
    TokenizerConfig,
)
from nodes.networks.noised_clip import left_out_of
from nodes.networks.tokenizer import LeftOut, left_out

CLOSED = TextConfig(context=5, tokenizer=TokenizerConfig("words", WORDS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", LeftOut()),
        ("A red circle.", LeftOut()),
        ("a photo of a red cat", LeftOut("cat", ("photo", "of"))),
        ("a red circle ❤!", LeftOut("", ("❤!",))),
        ("a red_circle 猫 猫", LeftOut("", ("_", "猫"))),
        ("a Red-blue circle, a star", LeftOut("a star", ("-", ","))),
    ],
)
def test_a_closed_vocabulary(text: str, expected: LeftOut) -> None:
    assert left_out(CLOSED, text) == expected


@pytest.mark.parametrize("end", ["Dog", "ein Schloß", "日本語 🐱"])
def test_byte_pairs_know_everything_and_are_cut(end: str) -> None:
    """The text that fits has nothing left out; what is put behind it is."""
    glide = TextConfig(context=12)
    clip = ClipConfig(text={"context_length": 14})
    noised = NoisedClipConfig(context=14)
    readers = (
        lambda text: left_out(glide, text),
        lambda text: clip_left_out(clip, text),
        lambda text: left_out_of(noised, text),
    )
    for reader in readers:
        whole = "cat " * 11 + "cat"
        assert reader(whole) == LeftOut()
        found = reader(f"{whole} {end}")
        assert (found.cut, found.unknown) == (end.lower(), ())
        assert reader(end) == LeftOut()


def test_other_contexts_than_77() -> None:
    config = open_clip_config("PE-Core-T-16-384")
    assert config.context == 32
    assert clip_left_out(config, "cat " * 30) == LeftOut()
    assert clip_left_out(config, "cat " * 30 + "dog").cut == "dog"


def test_a_folder_whose_vocabulary_lacks_bytes(tmp_path: Path) -> None:
    """What it lacks is read as the end of text, as transformers does, and said."""
    symbols = [c + end for c in byte_alphabet().values() if c in "act!" for end in ("", "</w>")]
    ids = {s: i for i, s in enumerate([*symbols, "<|startoftext|>", "<|endoftext|>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    (tmp_path / "merges.txt").write_text("#version\n")
    config = ClipConfig(
        text={"context_length": 8}, tokenizer=ClipTokenizerConfig("folder", str(tmp_path))
    )
    assert clip_left_out(config, "cat tact") == LeftOut("t")
    found = clip_left_out(config, "cat! dog ü")
    assert found.unknown == ("dog", "ü")
    end = ids["<|endoftext|>"]
    assert clip_tokenize(config, ["do"]).ids[0, :4].tolist() == [ids["<|startoftext|>"], *[end] * 3]


def said(*calls: Callable[[], object]) -> list[Warned]:
    found: dict[Warned, None] = {}
    with collecting(found):
        for call in calls:
            call()
    return list(found)


TEXT = "a photo of a rde circle"


def test_nodes_say_it_once_with_the_model(bundles: Path) -> None:
    base = parsed(UNet, str(bundles / "glide" / "base"), context(bundles))
    found = said(lambda: text_encoder(base, TEXT), lambda: text_encoder(base, [TEXT, TEXT]))
    words = ", ".join(WORDS)
    hint = f"it knows {len(WORDS)} words: {words}"
    assert found == [Warned("'base' does not know 'photo', 'of', 'rde'", "text", hint)]
    assert not said(lambda: text_encoder(base, ["a red circle", ""]))
    long = said(lambda: text_encoder(base, ["a " * 8 + "red star", "a " * 8 + "blue star"]))
    assert [warning.message for warning in long] == [
        "the text is too long for 'base', which does not get its end: 'red star', 'blue star'"
    ]


def test_every_node_that_reads_says_it(bundles: Path) -> None:
    unclip, glide, here = bundles / "unclip", bundles / "glide", context(bundles)
    clip = parsed(Clip, str(unclip / "clip"), here)
    decoder = parsed(UNet, str(unclip / "decoder"), here)
    upsample = parsed(UNet, str(glide / "upsample"), here)
    noised = parsed(NoisedClip, str(glide / "clip"), here)
    picture = torch.zeros(1, 3, 16, 16)
    seen = clip.see(picture)
    calls = (
        lambda: clip_text(clip, TEXT),
        lambda: clip_score(clip, picture, TEXT),
        lambda: clip_rerank(clip, picture, TEXT),
        lambda: decoder_conditions(decoder, clip, seen, TEXT),
        lambda: upsampler_conditions(upsample, picture, TEXT),
        lambda: clip_guidance(denoiser(bundles), noised, TEXT),
    )
    for call in calls:
        (found,) = said(call)
        assert "'photo', 'of', 'rde'" in found.message
        assert found.port == "text"


def denoiser(bundles: Path) -> Denoiser:
    plain = parsed(UNet, str(bundles / "adm" / "unconditional"), context(bundles))
    return unet_denoiser(plain)


def test_it_is_said_before_a_run(bundles: Path) -> None:
    """At the text in the graph, in a check that reads no weights; a text that a node makes is not known yet."""
    graph = (
        'graph: 1\ninputs: {prompt: {type: Text, default: "a photo"}}\nnodes:\n'
        f"  a: {{type: text_encoder, model: {bundles}/glide/base, text: $prompt}}\n"
        f"  b: {{type: text_encoder, model: {bundles}/glide/base, text: a red star}}\n"
        "outputs: {a: $a, b: $b}\n"
    )
    (bundles / "g.yaml").write_text(graph)
    (found,) = nodegraph.load(bundles / "g.yaml", cached=False).check()
    assert (found.code, found.node, found.span.line) == ("W401", "a", 2)
    assert "'photo'" in found.message


EIGHT = ", ".join(f"'w{i}'" for i in range(8))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([f"w{i}" for i in range(8)], EIGHT),
        ([f"w{i}" for i in range(9)], f"{EIGHT} and 1 more"),
        (["x" * 200], f"'{'x' * 200}'"),
        (["x" * 201], f"'{'x' * 200}…'"),
    ],
    ids=["eight", "nine", "200", "201"],
)
def test_how_much_a_warning_shows(words: list[str], shown: str) -> None:
    """Eight words one by one, and 200 characters of each."""
    said: dict[Warned, None] = {}
    with collecting(said):
        warn_of_left_out("m", ["t"], lambda _: LeftOut("", tuple(words)))
    assert [warning.message for warning in said] == [f"'m' does not know {shown}"]


SHIPPED = "shapes/glide/base"


def reading(texts: list[str], tmp_path: Path) -> tuple[torch.Tensor, list[str]]:
    """What the shipped base makes of texts, and what is said of it."""
    said = dict[Warned, None]()
    with collecting(said):
        found = text_encoder(parsed(UNet, SHIPPED, context(tmp_path)), texts)
    assert found.embedding is not None
    return found.embedding, [warned.message for warned in said]


def test_the_shapes_world_reads_texts_as_people_type_them(tmp_path: Path) -> None:
    typed, said = reading(["circle red", "two blue stars", "Red circle."], tmp_path)
    meant, nothing = reading(
        ["a red circle", "a blue star and a blue star", "a red circle"], tmp_path
    )
    assert torch.equal(typed, meant)
    assert nothing == []
    assert said == [
        f"'{SHIPPED}' reads 'circle red' as 'a red circle'",
        f"'{SHIPPED}' reads 'two blue stars' as 'a blue star and a blue star'",
    ]


def test_what_is_no_picture_of_the_shapes_world_says_why(tmp_path: Path) -> None:
    _, said = reading(["a red circle on a green background", "a red cat", ""], tmp_path)
    assert len(said) == 2
    assert "is no picture that" in said[0] and "there is no green background" in said[0]
    assert said[1] == f"'{SHIPPED}' does not know 'cat'"


def test_a_vocabulary_of_ones_own_is_read_as_it_is(bundles: Path) -> None:
    base = parsed(UNet, str(bundles / "glide" / "base"), context(bundles))
    one, other = (base.encode([text])[0] for text in ("circle red", "a red circle"))
    assert not torch.equal(one, other)
