"""Models of which a file is damaged, or describes what cannot be: a diagnostic that names the file, soon."""

import copy
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nodegraph.cli import app
from nodes.checkpoints.catalogue import SHIPPED
from nodes.checkpoints.sizes import NoNetwork, plausible
from nodes.networks.config import ClipConfig, TextConfig, TokenizerConfig, UNetConfig

TINY = Path(__file__).parents[3] / "golden" / "data" / "unclip_tiny_karlo"
HUGE = 10**9
TEXTS: dict[str, bytes] = {
    "cut short": b'{"format": 1',
    "a list": b"[1]",
    "a number": b"3",
    "nothing": b"null",
    "empty": b"",
    "an empty object": b"{}",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "a null byte": b"\0",
    "many digits": b'{"format": ' + b"9" * 5000 + b"}",
}
READERS = {
    "glide/base": "a: {type: network, like: b/m}",
    "adm/classifier": "a: {type: classifier_accuracy, model: b/m}",
    "glide/clip": "a: {type: clip_accuracy, model: b/m}",
    "unclip/clip": "a: {type: prior_objective, clip: b/m}",
    "unclip/prior": "a: {type: prior_denoiser, model: b/m}",
}
OPTIONS: list[tuple[str, str, Any]] = [
    *(("glide/base", name, value)
      for name in ("image_size", "channels", "model_channels", "blocks", "heads", "head_channels",
                   "groups", "fold", "text.width", "text.layers", "text.heads", "text.context",
                   "text.vocabulary", "trained.train_steps")
      for value in (-1, HUGE, 10**30, "x", 1.5, True)
      if (name, value) != ("heads", -1)),  # as published ones have it where they give head_channels
    ("glide/base", "heads", -2),
    *(("glide/base", "multipliers", value)
      for value in ([], [1] * 3000, [-1, 2], [HUGE], [0], ["x"], [1e308], {}, 3)),
    *(("glide/base", "attention", value) for value in ([0], [-2], [HUGE], "x", [[1]])),
    ("glide/base", "text.tokenizer", {"kind": "glide_bpe"}),
    ("glide/base", "text.tokenizer", {"kind": "words", "words": ["a"] * 60_000}),
    ("glide/base", "trained.schedule", "[red]\x1b[2J"),
    ("glide/base", "trained.x0_bound", -1),
    ("glide/base", "dropout", 2),
    *(("adm/classifier", name, value) for name in ("classes", "trunk.blocks", "pool")
      for value in (-1, HUGE, None)),
    *(("glide/clip", name, value)
      for name in ("patch_size", "image_layers", "text_layers", "embedding_width", "context",
                   "vocabulary", "train_steps", "schedule")
      for value in (-1, HUGE, None)),
    *(("unclip/clip", f"{tower}.{name}", value)
      for tower, name in (("image", "image_size"), ("image", "layers"), ("image", "width"),
                          ("image", "patch_size"), ("text", "layers"), ("text", "vocab_size"))
      for value in (-1, HUGE, None, [], {}, "x", 0)),
    *(("unclip/prior", name, value)
      for name in ("embedding", "layers", "heads", "tokens", "trained.train_steps")
      for value in (-1, HUGE, None)),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path


def graph(folder: Path, *nodes: str) -> None:
    lines = "\n".join(f"  {node}" for node in nodes)
    name = nodes[-1].partition(":")[0]
    text = f"graph: 1\nnodes:\n{lines}\noutputs: {{o: ${name}}}\n"
    (folder / "g.yaml").write_text(text, encoding="utf-8")


def model(folder: Path, part: str) -> dict[str, Any]:
    """A copy of a shipped model, and a graph that reads it; its configuration."""
    shutil.copytree(SHIPPED / part, folder / "b" / "m")
    graph(folder, READERS[part])
    return json.loads((folder / "b" / "m" / "config.json").read_text("utf-8"))


def refused(*names: str, command: tuple[str, ...] = ("check", "g.yaml")) -> str:
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "E501" not in done.output
    assert any(name in done.output for name in names), done.output
    return done.output


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_a_configuration_that_is_none(content: bytes, folder: Path) -> None:
    model(folder, "glide/base")
    (folder / "b" / "m" / "config.json").write_bytes(content)
    refused("b/m/config.json")
    refused("b/m/config.json", command=("run", "g.yaml"))


@pytest.mark.parametrize(("part", "name", "value"), OPTIONS)
def test_a_configuration_of_no_network(part: str, name: str, value: Any, folder: Path) -> None:
    record = model(folder, part)
    changed = record["config"]
    *places, last = name.split(".")
    for place in places:
        changed = changed[place]
    changed[last] = value
    (folder / "b" / "m" / "config.json").write_text(json.dumps(record), encoding="utf-8")
    assert "\x1b" not in refused("b/m/config.json")


def test_what_is_shipped_is_plausible() -> None:
    for config in (UNetConfig(), ClipConfig(), TextConfig()):
        plausible(config)
    with pytest.raises(NoNetwork, match="larger than any"):
        plausible(UNetConfig(image_size=8192, channels=1024))
    with pytest.raises(NoNetwork, match="a vocabulary of 3 tokens is too small for the 4"):
        plausible(TextConfig(vocabulary=3, tokenizer=TokenizerConfig("words", ("a", "b"))))


FOREIGN = [
    ("model_index.json", {}),
    *((f"{part}/config.json", {name: value})
      for part, name in (("prior", "num_layers"), ("prior", "embedding_dim"),
                         ("decoder", "block_out_channels"), ("decoder", "layers_per_block"),
                         ("decoder", "down_block_types"), ("decoder", "sample_size"),
                         ("text_encoder", "hidden_size"), ("text_encoder", "num_hidden_layers"))
      for value in (-1, HUGE, None, {}, [], "x", ["SimpleCrossAttnDownBlock2D"] * 100_000)),
    ("prior_scheduler/scheduler_config.json", {"num_train_timesteps": HUGE}),
    ("text_proj/config.json", {"cross_attention_dim": -1}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "changes"), FOREIGN)
def test_another_programs_configuration_of_no_network(
    file: str, changes: dict[str, Any], folder: Path
) -> None:
    shutil.copytree(TINY, folder / "k")
    part = file.partition("/")[0]
    node = {
        "prior": "a: {type: prior_denoiser, model: k/prior}",
        "prior_scheduler": "a: {type: prior_denoiser, model: k/prior}",
        "text_encoder": "a: {type: clip_text, clip: k/clip, text: a frog}",
    }.get(part, "a: {type: network, like: k/decoder}")
    graph(folder, node)
    place = folder / "k" / file
    record = json.loads(place.read_text("utf-8"))
    place.write_text(json.dumps({**record, **changes} if changes else 3), encoding="utf-8")
    refused("k/")


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["vocab.json", "tokenizer.json"])
def test_a_vocabulary_that_is_none(content: bytes, name: str, folder: Path) -> None:
    shutil.copytree(TINY, folder / "k")
    (folder / "k" / "tokenizer" / name).write_bytes(content)
    graph(folder, "a: {type: clip_text, clip: k/clip, text: a frog}")
    refused(f"tokenizer/{name}")


@pytest.mark.parametrize(
    "changes", [{"a": -1}, {"a": 1e400}, {"a": "b"}, {"a": 10**30}, {"a": 49_407}, {"a": None}]
)
def test_a_vocabulary_with_numbers_that_are_none(changes: dict[str, Any], folder: Path) -> None:
    shutil.copytree(TINY, folder / "k")
    place = folder / "k" / "tokenizer" / "vocab.json"
    known = json.loads(place.read_text("utf-8"))
    place.write_text(json.dumps({**known, **changes}), encoding="utf-8")
    graph(folder, "a: {type: clip_text, clip: k/clip, text: a frog}")
    refused("k/tokenizer")


def test_merges_that_are_no_text(folder: Path) -> None:
    shutil.copytree(TINY, folder / "k")
    (folder / "k" / "tokenizer" / "merges.txt").write_bytes(b"#\n\xff \xfe\n")
    graph(folder, "a: {type: clip_text, clip: k/clip, text: a frog}")
    refused("tokenizer/merges.txt")


def header(record: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = record if isinstance(record, bytes) else json.dumps(record).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


SAFETENSORS: dict[str, bytes] = {
    "empty": b"",
    "half a length": b"\x10\0\0",
    "a length alone": header(b"", length=100),
    "a cut header": header(tensor())[:-10],
    "a huge header": header(tensor(), length=2**63),
    "a header beyond the file": header(tensor(), length=2**31),
    "no UTF-8": header(b'{"\xff\xfe": {}}'),
    "no JSON": header(b"{]"),
    "deep": header(b'{"a":' * 100_000),
    "a list": header([1]),
    "no tensors": header({"a": 3}),
    "half a character": header(b'{"\\ud800": 3}'),
    "offsets beyond": header(tensor(data_offsets=[0, 10**15]), b"1234"),
    "offsets below": header(tensor(data_offsets=[-4, 0]), b"1234"),
    "offsets backwards": header(tensor(data_offsets=[4, 0]), b"1234"),
    "one offset": header(tensor(data_offsets=[0]), b"1234"),
    "a huge shape": header(tensor(shape=[2**62, 8]), b"1234"),
    "a negative shape": header(tensor(shape=[-1]), b"1234"),
    "no such numbers": header(tensor(dtype="F99"), b"1234"),
    "markup": header({"[red]\x1b[2J": tensor()["a"]}, b"1234"),
    "cut short": header(tensor(), b"12"),
    "a zip archive of nothing": b"PK\x05\x06" + b"\0" * 18,
    "a pickle of a call": b"cos\nsystem\n(S'touch harmed'\ntR.",
    "a deep pickle": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
}


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
def test_weights_that_are_none(content: bytes, folder: Path) -> None:
    model(folder, "glide/base")
    place = folder / "b" / "m" / "model.safetensors"
    place.write_bytes(content)
    added = ("models", "add", str(place), "--as", "openai/glide/base")
    assert "\x1b" not in refused("model.safetensors", command=added)
    graph(
        folder,
        "t: {type: text_encoder, model: b/m, text: a red circle}",
        "d: {type: unet_denoiser, model: b/m, conditions: $t}",
        "s: {type: noise_scheduler, model: b/m, steps: 1}",
        "i: {type: ddim_sampler, denoiser: $d, schedule: $s}",
    )
    assert "\x1b" not in refused("model.safetensors", command=("run", "g.yaml"))
    assert not (folder / "harmed").exists()


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
def test_noise_that_is_none(content: bytes, folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(content)
    graph(folder, "n: {type: recorded_noise, file: x.safetensors}")
    assert "\x1b" not in refused("x.safetensors")


@pytest.mark.parametrize(
    "index",
    [{}, {"weight_map": 3}, {"weight_map": {"a": 3}}, {"weight_map": {"a": "../x.safetensors"}},
     {"weight_map": {"a": "/x"}}, {"weight_map": {"a": "no.safetensors"}}, {"weight_map": []},
     {"weight_map": {"a": "a\0b"}}, {"weight_map": {"a": ".."}}, {"weight_map": {"a": "x" * 300}}],
)  # fmt: skip
def test_an_index_of_shards_that_is_none(index: Any, folder: Path) -> None:
    shutil.copytree(TINY, folder / "k")
    for weights in (folder / "k" / "prior").glob("*.safetensors"):
        weights.unlink()
    place = folder / "k" / "prior" / "diffusion_pytorch_model.safetensors.index.json"
    place.write_text(json.dumps(index), encoding="utf-8")
    graph(
        folder,
        "t: {type: clip_text, clip: k/clip, text: a frog}",
        "p: {type: prior_denoiser, model: k/prior, text: $t.tokens, embedding: $t.embedding}",
        "s: {type: noise_scheduler, model: k/prior, steps: 1}",
        "e: {type: ddim_sampler, denoiser: $p, schedule: $s}",
    )
    refused("k/prior", command=("run", "g.yaml"))


ENTRY: dict[str, Any] = {
    "licence": "MIT",
    "source": "s",
    "card": "c",
    "parts": {
        "p": {"kind": "UNet", "files": [{"url": "https://example.org/x.pt", "parameters": 1}]}
    },
}


def entry(change: Callable[[dict[str, Any]], Any]) -> bytes:
    made = copy.deepcopy(ENTRY)
    change(made)
    return json.dumps({"a": made}).encode()


def of_file(**changes: Any) -> bytes:
    return entry(lambda made: made["parts"]["p"]["files"][0].update(changes))


CATALOGUES: dict[str, bytes] = {
    **{name: text for name, text in TEXTS.items() if name not in ("an empty object", "many digits")},
    "an entry that is a number": b'{"a": 3}',
    "an entry that is a list": b'{"a": []}',
    "an entry without parts": b'{"a": {"licence": "MIT"}}',
    **{f"{key} of another kind": entry(lambda made, key=key: made.update({key: ["x"]}))
       for key in ("licence", "card", "source", "terms", "parts", "unet_options")},
    "a key that is not known": entry(lambda made: made.update(zz=1)),
    "a part that is a number": entry(lambda made: made["parts"].update(p=3)),
    "a kind that is a number": entry(lambda made: made["parts"]["p"].update(kind=3)),
    "a layout that is a list": entry(lambda made: made["parts"]["p"].update(layout=[3])),
    "options that are a number": entry(lambda made: made["parts"]["p"].update(options=3)),
    "files that are a number": entry(lambda made: made["parts"]["p"].update(files=3)),
    "a file that is a text": entry(lambda made: made["parts"]["p"].update(files=["x"])),
    "an address that is a number": of_file(url=3),
    "an address that is none": of_file(url="https://[x/y.pt"),
    "parameters that are a text": of_file(parameters="many"),
    "a size below zero": of_file(size=-5),
    "a digest that is a number": of_file(sha256=3),
    "half a character": of_file(url="https://example.org/\ud800.pt"),
}  # fmt: skip


@pytest.mark.parametrize("content", CATALOGUES.values(), ids=CATALOGUES)
def test_a_catalogue_that_is_none(content: bytes, folder: Path) -> None:
    (folder / "models" / "catalogue.json").write_bytes(content)
    graph(folder, "a: {type: network, like: a/p}")
    refused("catalogue.json")
    for command in (
        ("models",),
        ("models", "get", "a/p"),
        ("models", "add", "g.yaml", "--as", "a/p"),
    ):
        refused("catalogue.json", command=command)


def test_notes_that_are_damaged_are_no_notes(folder: Path) -> None:
    """Digests that were noted, and terms that were accepted: whatever stands there."""
    from nodegraph.models.catalogue import Listing, accept, accepted, noted_digest

    listing = Listing("a", (), "MIT", 0, (), "s", "c", terms="Do no harm.")
    (folder / "x.pt").write_bytes(b"x")
    for content in TEXTS.values():
        (folder / "x.pt.json").write_bytes(content)
        (folder / "models" / "accepted.json").write_bytes(content)
        assert noted_digest(folder / "x.pt") is None
        assert not accepted(listing)
    accept(listing)
    assert accepted(listing)
