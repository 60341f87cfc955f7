"""`nodegraph models push`, and the ways back: a folder named in a graph, `models get` from a folder, a server and the Hub."""

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from file_server import Hub, as_the_hub, running
from PIL import Image
from safetensors.torch import save_file
from test_models_command import TINY, publish, state_dict
from typer.testing import CliRunner, Result

import nodegraph
import nodegraph.models.publishing
from nodegraph.cli import app
from nodes import load_model
from nodes.checkpoints.publishing import bundle

KARLO = Path(__file__).parents[3] / "golden" / "data" / "unclip_tiny_karlo"
COMMIT = "c" * 40


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models; commands run in a folder of their own."""
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def command(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["models", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def karlo(tmp_path: Path) -> Path:
    command("push", str(KARLO), "--to", "karlo", "--as", "me/karlo", "--licence", "MIT")
    return tmp_path / "karlo"


@pytest.fixture
def tiny(tmp_path: Path, bundles: Path) -> Path:
    """Networks of the shapes world's kind, which only our own layout says."""
    command("push", str(bundles / "glide"), "--to", "tiny", "--as", "me/tiny", "--licence", "MIT")
    return tmp_path / "tiny"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with running(partial(Handler, directory=str(folder))) as address:
        yield address


def drawn(graph: str, *arguments: str) -> np.ndarray:
    """The pixels that `nodegraph run` writes."""
    out = ["--out", "out", "--no-cache", "--json", "--device", "cpu"]
    done = CliRunner().invoke(app, ["run", graph, *arguments, *out])
    assert done.exit_code == 0, done.output
    (path,) = json.loads(done.stdout)["outputs"]["image"]
    return np.asarray(Image.open(path))


GLIDE = ("--steps", "2", "--upsample-steps", "1")
UNCLIP = ("--prior-steps", "2", "--decoder-steps", "2", "--upsample-steps", "2")


def test_a_shipped_bundle_draws_the_same_from_its_folder(tmp_path: Path) -> None:
    says = command("push", "shapes/glide", "--to", "mine").stderr
    assert "base: nodegraph's own layout" in says
    assert "OpenAI's layout cannot say: pixels folded 2 × 2 into channels; a closed vocab" in says
    expected = drawn("glide/text_to_image", *GLIDE)
    found = drawn("glide/text_to_image", *GLIDE, "--models", str(tmp_path / "mine"))
    assert np.array_equal(found, expected)
    for part in ("base", "clip"):
        one, two = (load_model(f"{of}/{part}") for of in ("shapes/glide", tmp_path / "mine"))
        assert one.identity == two.identity


def test_what_a_pipeline_says_and_draws(karlo: Path) -> None:
    (entry,) = json.loads((karlo / "bundle.json").read_text("utf-8")).values()
    assert {part["layout"] for part in entry["parts"].values()} == {
        "diffusers_prior",
        "diffusers_decoder",
        "diffusers_super_resolution",
        "transformers_clip",
    }
    expected = drawn("unclip/karlo", *UNCLIP, "--models", str(KARLO))
    assert np.array_equal(drawn("unclip/karlo", *UNCLIP, "--models", str(karlo)), expected)


def test_a_digest_stands_beside_every_file(karlo: Path) -> None:
    lines = (karlo / "SHA256SUMS").read_text("utf-8").splitlines()
    found = dict(reversed(line.split("  ", 1)) for line in lines)
    files = {p.relative_to(karlo).as_posix(): p for p in karlo.rglob("*") if p.is_file()}
    assert found.keys() == files.keys() - {"SHA256SUMS"}
    for name, digest in found.items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == digest
    (entry,) = json.loads((karlo / "bundle.json").read_text("utf-8")).values()
    for part in entry["parts"].values():
        for file in (*part["files"], *part.get("vocabulary", ())):
            assert found[file["url"]] == file["sha256"]
            assert files[file["url"]].stat().st_size == file["size"]


def card(folder: Path) -> Any:
    from huggingface_hub import ModelCard

    return ModelCard.load(folder / "README.md")


def test_the_card_is_what_the_hub_reads(karlo: Path, tiny: Path, tmp_path: Path) -> None:
    found = card(karlo)
    assert (found.data.license, found.data.library_name) == ("mit", "diffusers")
    assert found.data.pipeline_tag == "text-to-image"
    assert found.data.tags == ["diffusion", "nodegraph", "unclip"]
    assert "UnCLIPPipeline.from_pretrained" in found.text
    own = card(tiny)
    assert (own.data.library_name, own.data.tags) == (
        "nodegraph",
        ["diffusion", "glide", "nodegraph"],
    )
    assert "`base` is in nodegraph's own layout; OpenAI's layout cannot say" in own.text
    (tmp_path / "card.md").write_text("# About\n\nDraws dots.\n\nAnd lines.\n", "utf-8")
    push = ("push", str(tmp_path / "tiny"), "--licence", "MIT", "--card", "card.md")
    command(*push, "--to", "again")
    assert "Draws dots.\n\nAnd lines." in card(tmp_path / "again").text
    (entry,) = json.loads((tmp_path / "again/bundle.json").read_text("utf-8")).values()
    assert (entry["card"], entry["licence"]) == ("Draws dots.", "MIT")


def test_a_licence_that_the_hub_does_not_know(bundles: Path, tmp_path: Path) -> None:
    licence = ("--licence", "My Own 1.0", "--card", "Tiny: ones")
    command("push", str(bundles / "glide"), "--to", "mine", *licence)
    found = card(tmp_path / "mine").data
    assert (found.license, found.license_name) == ("other", "my-own-1.0")


def listed(name: str) -> dict[str, Any]:
    (row,) = (r for r in json.loads(command("--json").stdout) if r["name"] == name)
    return row


def test_get_from_a_server(karlo: Path, tmp_path: Path, models: Path) -> None:
    with served(tmp_path) as address:
        says = command("get", f"{address}/karlo/").stderr
    assert "me/karlo, prior, decoder, super_res_first, super_res_last, clip" in says
    assert "its digest and its contents were checked" in says
    assert "graphs name it me/karlo" in says
    assert listed("me/karlo")["here"] == [
        "prior",
        "decoder",
        "super_res_first",
        "super_res_last",
        "clip",
    ]
    expected = drawn("unclip/karlo", *UNCLIP, "--models", str(karlo))
    shutil.rmtree(karlo)
    assert np.array_equal(drawn("unclip/karlo", *UNCLIP, "--models", "me/karlo"), expected)
    places = {
        path.relative_to(models / "me/karlo").as_posix() for path in models.rglob("*.safetensors")
    }
    assert "decoder/text_proj-diffusion_pytorch_model.safetensors" in places


def test_get_from_a_folder_under_another_name(tiny: Path, models: Path, bundles: Path) -> None:
    command("get", "tiny", "--as", "yours/tiny")
    assert {row["name"] for row in json.loads(command("--json").stdout)} & {
        "me/tiny",
        "yours/tiny",
    } == {"yours/tiny"}
    for part in ("base", "upsample", "clip"):
        found, expected = load_model(f"yours/tiny/{part}"), load_model(bundles / "glide" / part)
        assert found.identity == expected.identity
        assert all(torch.equal(found.weights()[k], v) for k, v in expected.weights().items())
    assert "is here" in command("get", "tiny", "--as", "yours/tiny").stderr
    command("get", "yours/tiny/base")


def test_get_from_the_hub(tiny: Path, models: Path) -> None:
    files = {
        f"me/tiny/{p.relative_to(tiny).as_posix()}": p.read_bytes()
        for p in tiny.rglob("*")
        if p.is_file()
    }
    with as_the_hub(Hub({COMMIT: files}, COMMIT)):
        command("get", "hf://me/tiny")
    record = json.loads((models / "catalogue.json").read_text("utf-8"))["me/tiny"]
    urls = [file["url"] for part in record["parts"].values() for file in part["files"]]
    assert all(url.startswith(f"hf://me/tiny@{COMMIT}/") for url in urls)
    assert load_model("me/tiny/base").needs.here


def test_a_transfer_that_was_cut_goes_on_by_name(tiny: Path, tmp_path: Path) -> None:
    whole = (tiny / "upsample" / "model.safetensors").read_bytes()
    (tiny / "upsample" / "model.safetensors").unlink()
    with served(tmp_path) as address:
        assert "answers 404" in command("get", f"{address}/tiny", code=1).stderr
        assert listed("me/tiny")["here"] == ["base", "clip", "inpaint"]
        (tiny / "upsample" / "model.safetensors").write_bytes(whole)
        command("get", "me/tiny")
    assert set(listed("me/tiny")["here"]) == set(listed("me/tiny")["parts"])


def test_another_file_than_was_pushed_is_refused(tiny: Path, karlo: Path, models: Path) -> None:
    weights = tiny / "base" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    says = command("get", "tiny", code=1).stderr
    assert "its sha256 is" in says
    assert not list((models / "me/tiny/base").glob("model*"))
    (karlo / "tokenizer" / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    assert "merges.txt has 14 bytes, not" in command("get", "karlo", code=1).stderr


def test_a_name_that_is_taken(bundles: Path, models: Path, tiny: Path) -> None:
    push = ("push", str(bundles / "glide"), "--licence", "MIT", "--as", "shapes/glide")
    command(*push, "--to", "false")
    says = command("get", "false", code=2).stderr
    assert "there is another bundle 'shapes/glide' in the catalogue; --as NAME" in says
    assert not (models / "catalogue.json").exists()
    command("get", "tiny")
    command("push", str(bundles / "adm"), "--to", "other", "--licence", "MIT", "--as", "me/tiny")
    assert "take it out of" in command("get", "other", code=2).stderr
    assert set(listed("me/tiny")["parts"]) == {p.name for p in (bundles / "glide").iterdir()}


def test_terms_are_passed_on_and_asked_for(tiny: Path, models: Path, tmp_path: Path) -> None:
    path = tiny / "bundle.json"
    record = json.loads(path.read_text("utf-8"))
    record["me/tiny"] |= {"licence": "openrail", "terms": "Do no harm."}
    path.write_text(json.dumps(record), "utf-8")
    says = command("get", "tiny", code=1).stderr
    assert "Do no harm." in says
    assert "--accept-licence" in says
    assert not (models / "catalogue.json").exists()
    command("get", "tiny", "--accept-licence")
    says = command("push", "me/tiny", "--to", "again", "--licence", "MIT", code=2).stderr
    assert "'me/tiny' is under openrail, and who passes it on passes that on" in says
    command("push", "me/tiny", "--to", "again")
    assert "Do no harm." in (tmp_path / "again" / "README.md").read_text("utf-8")
    (entry,) = json.loads((tmp_path / "again/bundle.json").read_text("utf-8")).values()
    assert entry["terms"] == "Do no harm."


def test_what_was_fetched_is_pushed_again(karlo: Path, tmp_path: Path) -> None:
    command("get", "karlo")
    command("push", "me/karlo", "--to", "again")
    for file in karlo.rglob("*"):
        if file.is_file() and file.name not in ("README.md", "SHA256SUMS", "bundle.json"):
            assert (tmp_path / "again" / file.relative_to(karlo)).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_of_openai_stay_as_they_are(suffix: str, models: Path, tmp_path: Path) -> None:
    models.mkdir()
    publish(models, "http://127.0.0.1:9/base.pt", terms="Do no harm.")
    mine = tmp_path / f"mine{suffix}"
    (torch.save if suffix == ".pt" else save_file)(state_dict(), mine)
    command("add", str(mine), "--as", "tiny/glide/base")
    command("push", "tiny/glide", "--to", "again", "--as", "me/glide")
    assert (tmp_path / f"again/base/base{suffix}").read_bytes() == mine.read_bytes()
    (entry,) = record(tmp_path / "again").values()
    assert entry["parts"]["base"]["options"] == TINY
    command("get", "again", "--accept-licence")
    found, expected = load_model("me/glide/base"), load_model("tiny/glide/base")
    assert (found.digest, found.config) == (expected.digest, expected.config)


FAULTS: list[tuple[tuple[str, ...], int, str]] = [
    (("GLIDE", "--to", "x"), 2, "a bundle is passed on under a licence: --licence Apache-2.0"),
    (
        ("shapes/glide", "--to", "x", "--licence", "MIT"),
        2,
        "'shapes/glide' is under Apache-2.0, and who passes it on",
    ),
    (("shapes/glide", "--to", "full"), 1, "'full' is there already; name another folder"),
    (("shapes/glid", "--to", "x", "--licence", "MIT"), 2, "the nearest is 'shapes/glide'"),
    (("GLIDE/base", "--to", "x", "--licence", "MIT"), 2, "is one model; name the folder in which"),
    (("full", "--to", "x", "--licence", "MIT"), 2, "'full' holds no models: a bundle is a folder"),
    (("openai/glide", "--to", "x"), 1, "`nodegraph models get openai/glide/base` fetches it"),
    (
        ("GLIDE", "--to", "x", "--as", "a/../b", "--licence", "MIT"),
        2,
        "'a/../b' is no name of a bundle",
    ),
    (("GLIDE", "--to", "a b", "--licence", "MIT"), 2, "'a b' is no name of a bundle"),
    (("GLIDE", "--to", "x", "--with", "nosuch", "--licence", "MIT"), 2, "'nosuch' is neither"),
    (
        ("GLIDE", "--to", "x", "--card", "gone.md", "--licence", "MIT"),
        2,
        "no file 'gone.md' for the card",
    ),
    (("GLIDE", "--to", "x", "--card", "---\na: b\n---", "--licence", "MIT"), 2, "leave it out"),
    (("GLIDE", "--to", "x", "--card", "full/b", "--licence", "MIT"), 2, "it is not UTF-8 text"),
    (("GLIDE", "--to", "full/a/x", "--licence", "MIT"), 1, "which is no folder"),
]


@pytest.mark.parametrize(("arguments", "code", "says"), FAULTS)
def test_what_cannot_be_pushed(
    arguments: tuple[str, ...], code: int, says: str, bundles: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("x", "utf-8")
    (tmp_path / "full" / "b").write_bytes(b"\xff")
    glide = str(bundles / "glide")
    found = command("push", *(a.replace("GLIDE", glide) for a in arguments), code=code).stderr
    assert says in " ".join(found.split())
    assert {path.name for path in tmp_path.iterdir()} <= {"full", "models"}


def test_a_name_of_the_catalogue_is_its_own() -> None:
    assert (
        "--as names a bundle that was pushed"
        in command("get", "openai/glide", "--as", "mine", code=2).stderr
    )


@pytest.mark.parametrize("step", ["write_part", "write_index", "card"])
def test_a_push_that_fails_leaves_nothing(
    step: str, bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr(bundle, step, full)
    says = command("push", str(bundles / "glide"), "--to", "new/mine", "--licence", "MIT", code=1)
    assert "No space left on device" in says.stderr
    assert not any((tmp_path / "new").iterdir())


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "bundle.json").read_text("utf-8"))


def rewritten(folder: Path, **file: Any) -> None:
    found = record(folder)
    (entry,) = found.values()
    entry["parts"]["base"]["files"][0] |= file
    (folder / "bundle.json").write_text(json.dumps(found), "utf-8")


@pytest.mark.parametrize(
    "url",
    [
        *("../secret", "base/../../secret", "/etc/hostname", "https://example.org/x", "file:///x"),
        *("base//x", "base\\x", "%2e%2e/secret", "c:x", "x?y", "x#y", "base/"),
    ],
)
def test_a_stranger_names_no_file_elsewhere(url: str, tiny: Path, tmp_path: Path) -> None:
    """Neither to be fetched, nor to be read where the folder is named in a graph."""
    (tmp_path / "secret").write_text("x", "utf-8")
    rewritten(tiny, url=url)
    says = {"is no file in the bundle's folder", "has no place below the folder of models"}
    found = command("get", "tiny", code=1).stderr
    assert any(words in found for words in says)
    done = CliRunner().invoke(app, ["run", "glide/text_to_image", "--models", str(tiny)])
    assert done.exit_code == 1
    assert any(words in done.stderr for words in says)
    assert "Traceback" not in done.stderr


STRANGE: list[tuple[str, str]] = [
    ("[]", "is no JSON object"),
    ("{", "cannot be read"),
    ("[" * 100_000, "cannot be read"),
    ("{}", "describes 0 bundles"),
    ('{"a": 1}', "'a': it is 1"),
    (
        '{"a": {"licence": "MIT", "source": "x", "card": "x", "parts": {"b": {"kind": "UNet"}}}}',
        "has no files",
    ),
]


@pytest.mark.parametrize(("text", "says"), STRANGE)
def test_what_no_push_has_written(text: str, says: str, tiny: Path, tmp_path: Path) -> None:
    (tiny / "bundle.json").write_text(text, "utf-8")
    with served(tmp_path) as address:
        found = command("get", f"{address}/tiny", code=1).stderr
    assert says in found
    assert "Traceback" not in found


def test_a_file_without_a_digest_is_refused(tiny: Path) -> None:
    rewritten(tiny, sha256=None)
    assert "model.safetensors has no size, or no sha256" in command("get", "tiny", code=1).stderr


def test_a_stranger_sets_no_vocabulary_elsewhere(karlo: Path, models: Path) -> None:
    found = record(karlo)
    found["me/karlo"]["parts"]["clip"]["options"]["vocabulary"] = "/etc"
    (karlo / "bundle.json").write_text(json.dumps(found), "utf-8")
    says = "its tokenizer reads a folder that is not in the bundle's"
    assert says in command("get", "karlo", code=1).stderr
    assert not models.exists() or not (models / "catalogue.json").exists()


def test_a_description_without_end(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodegraph.models.publishing, "JSON_LIMIT", 100)
    with served(tmp_path) as address:
        says = command("get", f"{address}/tiny", code=1).stderr
    assert "sends more than the 100 bytes" in says
    assert "it is larger than" in command("get", "tiny", code=1).stderr


def test_a_folder_that_was_not_pushed(bundles: Path) -> None:
    says = command("get", str(bundles / "glide"), code=1).stderr
    assert "was not pushed, as it has no bundle.json; graphs can name the folder itself" in says


def test_addresses_that_are_none(models: Path) -> None:
    assert "neither an https nor an hf address" in command("get", "ftp://x/y", code=1).stderr
    assert "is no file of the Hub" in command("get", "hf://x", code=1).stderr
    assert "no model of the catalogue" in command("get", "nosuch", code=2).stderr
