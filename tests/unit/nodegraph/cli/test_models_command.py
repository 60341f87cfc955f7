"""`nodegraph models get` and `add` against a server on this machine, and graphs that use what they brought."""

import errno
import hashlib
import io
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from file_server import PIECE, Served, serving
from filelock import FileLock
from fill import filled
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

import nodegraph
import nodegraph.models.download
from nodegraph.base.diagnostics import GraphError
from nodegraph.cli import app
from nodes.checkpoints.entries import Part, PublishedFile
from nodes.checkpoints.layouts import published_shapes
from nodes.checkpoints.openai import UNET_KEYS

TINY: dict[str, Any] = {
    "image_size": 16,
    "num_channels": 32,
    "num_res_blocks": 1,
    "channel_mult": "1,2",
    "num_heads": 1,
    "num_head_channels": 16,
    "num_heads_upsample": -1,
    "attention_resolutions": "8",
    "dropout": 0.0,
    "text_ctx": 16,
    "xf_width": 16,
    "xf_layers": 1,
    "xf_heads": 2,
    "xf_final_ln": True,
    "xf_padding": True,
    "diffusion_steps": 1000,
    "noise_schedule": "squaredcos_cap_v2",
    "use_scale_shift_norm": True,
    "resblock_updown": True,
    "inpaint": False,
    "super_res": False,
}
GRAPH = """graph: 1
nodes:
  text:     {type: text_encoder, model: tiny/glide/base, text: a red circle}
  denoiser: {type: unet_denoiser, model: tiny/glide/base, conditions: $text}
  schedule: {type: noise_scheduler, model: tiny/glide/base, steps: ddim2}
  image:    {type: ddim_sampler, denoiser: $denoiser, schedule: $schedule}
outputs: {image: $image}
"""
NAME = "tiny/glide/base"


def state_dict(**changes: Any) -> dict[str, torch.Tensor]:
    files = (PublishedFile("base.pt", 1),)
    (shapes,) = published_shapes(Part("UNet", "openai_glide", {**TINY, **changes}, files))
    return filled(shapes)


def as_file(weights: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    return as_file(state_dict())


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def server(checkpoint: bytes) -> Iterator[Served]:
    with serving(Served(checkpoint), "base.pt") as served:
        yield served


def publish(models: Path, url: str, sha256: str | None = None, **entry: str) -> None:
    file = {"url": url, "parameters": 1, "sha256": sha256}
    part = {"kind": "UNet", "layout": "openai_glide", "options": TINY, "files": [file]}
    about = {"licence": "MIT", "source": "test", "card": "Tiny."}
    record = {"tiny/glide": {**about, **entry, "parts": {"base": part}}}
    (models / "catalogue.json").write_text(json.dumps(record), encoding="utf-8")


def command(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["models", *arguments])
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def place(models: Path) -> Path:
    return models / "tiny" / "glide" / "base" / "base.pt"


def test_a_fetched_model_runs_by_name(
    models: Path, server: Served, checkpoint: bytes, tmp_path: Path
) -> None:
    publish(models, server.url)
    (tmp_path / "g.yaml").write_text(GRAPH, encoding="utf-8")
    absent = nodegraph.load(tmp_path / "g.yaml", cached=False)
    assert not absent.check()
    with pytest.raises(
        GraphError, match=r"base\.pt; `nodegraph models get tiny/glide/base`"
    ) as told:
        absent()
    assert [(d.code, d.span and d.span.line) for d in told.value.diagnostics] == [("E404", 3)]
    assert "no digest is published" in command("get", "tiny/glide").stderr
    assert place(models).read_bytes() == checkpoint
    assert "is here" in command("get", NAME).stderr
    assert len(server.asked) == 1
    assert [r["here"] for r in listed() if r["name"] == "tiny/glide"] == [["base"]]
    assert nodegraph.load(tmp_path / "g.yaml", cached=False)().image.shape == (1, 3, 16, 16)


def listed() -> list[dict[str, Any]]:
    return json.loads(command("--json").stdout)


def test_the_handle_has_the_files_weights_and_digest(
    models: Path, server: Served, checkpoint: bytes
) -> None:
    from nodegraph.base.paths import Sandbox
    from nodegraph.runtime.context import RunContext
    from nodes.models.unet import parse_unet

    publish(models, server.url)
    context = RunContext(Sandbox((), models))
    assert parse_unet(NAME, context).digest == f"absent:{NAME}"
    command("get", NAME)
    handle = parse_unet(NAME, context)
    assert handle.digest == hashlib.sha256(checkpoint).hexdigest()
    loaded = handle.module().state_dict()
    for key, value in UNET_KEYS.ours(state_dict()).items():
        assert torch.equal(loaded[key], value), key


def test_a_broken_transfer_is_taken_up_again(models: Path, server: Served) -> None:
    publish(models, server.url, hashlib.sha256(server.content).hexdigest())
    server.cuts = [100_000, 50_000]
    command("get", NAME)
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent == len(server.content)
    assert place(models).read_bytes() == server.content
    left = {path.name for path in place(models).parent.iterdir()}
    assert left <= {"base.pt", "base.pt.json", ".lock"}


def test_the_next_call_goes_on_where_the_last_one_stopped(models: Path, server: Served) -> None:
    publish(models, server.url)
    server.cuts = [100_000, 0]
    says = command("get", NAME, code=1).stderr
    assert "broke off" in says
    assert "goes on from there" in says
    assert not place(models).exists()
    command("get", NAME)
    assert server.asked[-1] == "bytes=100000-"
    assert server.sent == len(server.content)
    assert place(models).read_bytes() == server.content


def test_a_file_that_changed_meanwhile_starts_anew(models: Path, server: Served) -> None:
    publish(models, server.url)
    server.cuts = [100_000, 0]
    command("get", NAME, code=1)
    server.content, server.tag, server.sent = as_file({**state_dict()}), '"two"', 0
    command("get", NAME)
    assert server.sent == len(server.content)


def test_a_transfer_stopped_after_its_last_byte_is_complete(models: Path, server: Served) -> None:
    publish(models, server.url)
    partial = place(models).with_name("base.pt.part")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(server.content)
    partial.with_name("base.pt.part.version").write_text(f"{server.url}\n{server.tag}")
    command("get", NAME)
    assert server.sent == 0
    assert place(models).exists()


def test_another_digest_is_refused(models: Path, server: Served) -> None:
    publish(models, server.url, "0" * 64)
    assert "is not the published file" in command("get", NAME, code=1).stderr
    assert not list(place(models).parent.glob("base*"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>please log in</html>", "holds no readable weights"),
        (as_file([1, 2]), "no state dict"),
        (as_file({"epoch": 3, "model": {}}), "no state dict"),
    ],
)
def test_what_is_no_model_is_refused(models: Path, content: bytes, says: str) -> None:
    with serving(Served(content), "base.pt") as served:
        publish(models, served.url)
        assert says in command("get", NAME, code=1).stderr
    assert not list(place(models).parent.glob("base*"))


def test_no_space(models: Path, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    publish(models, server.url)
    with monkeypatch.context() as patched:
        patched.setattr(nodegraph.models.download, "_written", full)
        says = command("get", NAME, code=1).stderr
        assert "no space is left in" in says
        assert "NODEGRAPH_MODELS" in says
    assert not place(models).exists()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    assert "are lacking" in command("get", NAME, code=1).stderr


def test_offline(models: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        publish(models, f"http://{address}/base.pt")
        says = command("get", NAME, code=1).stderr
    assert f"{address} cannot be reached" in says
    assert f"nodegraph models add FILE --as {NAME}" in says


def test_what_the_server_refuses(models: Path, server: Served) -> None:
    publish(models, server.url.replace("base.pt", "gone.pt"))
    assert "answers 404" in command("get", NAME, code=1).stderr
    publish(models, "file:///etc/hostname")
    assert "neither an https nor an hf address" in command("get", NAME, code=1).stderr


def test_terms_are_shown_and_accepted_once(models: Path, server: Served) -> None:
    publish(models, server.url, licence="openrail", terms="Do no harm.")
    says = command("get", NAME, code=1).stderr
    assert "Do no harm." in says
    assert "--accept-licence" in says
    assert not server.asked
    command("get", NAME, "--accept-licence")
    place(models).unlink()
    assert "Do no harm." not in command("get", NAME).stderr
    publish(models, server.url, licence="openrail", terms="Do no harm, ever.")
    place(models).unlink()
    assert "ever" in command("get", NAME, code=1).stderr


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_add_a_file(models: Path, tmp_path: Path, suffix: str, link: bool) -> None:
    publish(models, "http://127.0.0.1:9/base.pt")
    mine = tmp_path / f"mine{suffix}"
    if suffix == ".pt":
        torch.save(state_dict(), mine)
    else:
        save_file(state_dict(), mine)
    command("add", str(mine), "--as", NAME, *(["--link"] if link else []))
    kept = place(models).with_suffix(suffix)
    assert kept.is_symlink() == link
    assert kept.read_bytes() == mine.read_bytes()
    assert listed()[-1]["here"] == ["base"]


def test_an_added_file_replaces_the_one_before(models: Path, tmp_path: Path) -> None:
    publish(models, "http://127.0.0.1:9/base.pt", "0" * 64)
    torch.save(state_dict(), tmp_path / "mine.pt")
    save_file(state_dict(), tmp_path / "mine.safetensors")
    says = command("add", str(tmp_path / "mine.pt"), "--as", NAME).stderr
    assert "another file than the published one" in says
    command("add", str(tmp_path / "mine.safetensors"), "--as", NAME)
    assert not place(models).exists()
    assert place(models).with_suffix(".safetensors").exists()


def test_no_space_for_a_copy(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    publish(models, "http://127.0.0.1:9/base.pt")
    save_file(state_dict(), tmp_path / "mine.safetensors")
    monkeypatch.setattr("shutil.copyfile", full)
    says = command("add", str(tmp_path / "mine.safetensors"), "--as", NAME, code=1).stderr
    assert "no space is left in" in says
    assert not list(place(models).parent.glob("base*"))


def test_add_a_file_in_the_old_torch_format(models: Path, tmp_path: Path) -> None:
    publish(models, "http://127.0.0.1:9/base.pt")
    torch.save(state_dict(), tmp_path / "mine.pt", _use_new_zipfile_serialization=False)
    command("add", str(tmp_path / "mine.pt"), "--as", NAME)
    cut = (tmp_path / "mine.pt").read_bytes()[:100_000]
    (tmp_path / "cut.pt").write_bytes(cut)
    assert (
        "holds no readable" in command("add", str(tmp_path / "cut.pt"), "--as", NAME, code=1).stderr
    )


def test_two_processes_do_not_write_one_model(models: Path, server: Served) -> None:
    publish(models, server.url)
    place(models).parent.mkdir(parents=True)
    with FileLock(place(models).parent / ".lock"):
        assert "another process is writing" in command("get", NAME, code=1).stderr
    assert not server.asked


def test_add_the_wrong_file(models: Path, tmp_path: Path) -> None:
    publish(models, "http://127.0.0.1:9/base.pt")
    other = state_dict(inpaint=True)
    first = next(iter(other))
    other["surplus"] = other.pop(first)
    torch.save(other, tmp_path / "mine.pt")
    says = command("add", str(tmp_path / "mine.pt"), "--as", NAME, code=1).stderr
    assert f"1 missing keys ({first})" in says
    assert "1 left-over keys (surplus)" in says
    assert "input_blocks.0.0.weight is [32, 7, 3, 3] instead of [32, 3, 3, 3]" in says
    assert "there is no file" in command("add", "nothing.pt", "--as", NAME, code=1).stderr
    assert "say which part" in command("add", "x", "--as", "tiny/glide", code=2).stderr
    assert not place(models).exists()


def test_an_unsafe_pickle_is_refused(models: Path, tmp_path: Path) -> None:
    publish(models, "http://127.0.0.1:9/base.pt")
    torch.save({"a": Path("x")}, tmp_path / "mine.pt")
    says = command("add", str(tmp_path / "mine.pt"), "--as", NAME, code=1).stderr
    assert "holds no readable weights" in says


def test_names_that_are_not_there(models: Path) -> None:
    assert "did you mean 'openai/glide'" in command("get", "openai/glid", code=2).stderr
    assert "shipped with the program" in command("get", "shapes/glide", code=2).stderr


def test_a_catalogue_that_cannot_be_read(models: Path) -> None:
    (models / "catalogue.json").write_text('{"my/own": {"licence": "MIT"}}', encoding="utf-8")
    says = command(code=1).stderr
    assert "catalogue.json: 'my/own': 'parts' is missing" in says


@pytest.mark.soak
def test_killed_while_fetching_it_goes_on_and_the_file_is_whole(
    models: Path, server: Served, checkpoint: bytes
) -> None:
    publish(models, server.url, hashlib.sha256(checkpoint).hexdigest())
    server.pause = 2.0 / (len(checkpoint) / PIECE)
    chance = random.Random(1)
    get = [sys.executable, "-m", "nodegraph", "models", "get", NAME]
    for _ in range(20):
        with subprocess.Popen(get, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0, 4))
            process.kill()
        assert not place(models).exists() or place(models).read_bytes() == checkpoint
        place(models).unlink(missing_ok=True)
    subprocess.run(get, check=True)
    assert place(models).read_bytes() == checkpoint
    assert any(server.asked), "no transfer was taken up again"
    left = [path.name for path in place(models).parent.iterdir() if path.name != ".lock"]
    assert sorted(left) == ["base.pt", "base.pt.json"]
