"""Tokenizers against the references' token lists."""

from nodes.networks.bpe import clip_clean, clip_encoding, glide_encoding
from nodes.networks.config import TextConfig
from nodes.networks.tokenizer import tokenize


def test_glide(golden) -> None:
    meta = golden.part(golden.meta("bpe"), "glide")
    encoding = glide_encoding()
    assert len(encoding.ids) == meta["n_vocab"]
    for case in meta["prompts"]:
        tokens = encoding.encode(case["prompt"].lower())
        assert tokens == case["tokens"], case["prompt"]
        assert encoding.decode(tokens) == case["decoded"]


def test_glide_padding(golden) -> None:
    for case in golden.part(golden.meta("bpe"), "glide")["prompts"]:
        for context, padded in case.get("padded", {}).items():
            found = tokenize(TextConfig(context=int(context)), [case["prompt"]])
            assert found.ids[0].tolist() == padded["tokens"]
            assert found.mask[0].int().tolist() == [int(m) for m in padded["mask"]]


def test_clip(golden) -> None:
    meta = golden.part(golden.meta("bpe"), "clip_simple_tokenizer")
    encoding = clip_encoding()
    assert len(encoding.ids) == meta["n_vocab"]
    for case in meta["prompts"]:
        assert encoding.encode(clip_clean(case["prompt"])) == case["tokens"], case["prompt"]
