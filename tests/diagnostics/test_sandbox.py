"""What graphs of strangers may read and write: nothing outside their folder, whatever they name, and however."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

import nodegraph
from nodegraph.base.paths import Outside, Sandbox
from nodegraph.cli import app
from nodegraph.session import Job
from nodes.checkpoints.catalogue import SHIPPED, shipped_folder

BUNDLE = """graph: 1
inputs: {{models: {{type: Bundle, default: "{}"}}}}
nodes:
  text: {{type: text_encoder, model: $models.base, text: hi}}
outputs: {{text: $text}}
"""
MODEL = """graph: 1
nodes:
  text: {{type: text_encoder, model: "{}", text: hi}}
outputs: {{text: $text}}
"""
FAULTS = ("outside", "a pipe", "there is no file", "home folder of nobody", "is no path")


@pytest.fixture
def place(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A graph's folder `here`, in which we are, and a folder `away` with a model, and with a secret in it."""
    shutil.copytree(SHIPPED / "glide" / "base", tmp_path / "away" / "models" / "base")
    (tmp_path / "away" / "models" / "secret").mkdir()
    secret = {"format": 1, "kind": "a secret"}
    (tmp_path / "away" / "models" / "secret" / "config.json").write_text(json.dumps(secret))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "away"))
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    return tmp_path


def command(*arguments: str, code: int = 1) -> Result:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    assert "a secret" not in done.output
    return done


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


OUTSIDE = [
    "../away/models",
    "{away}/models",
    "~/models",
    "/",
    "..",
    "sub/../../away/models",
    "link",
    "links",
]


@pytest.mark.parametrize("named", OUTSIDE)
def test_a_bundle_outside_is_not_looked_into(place: Path, named: str) -> None:
    Path("link").symlink_to("../away/models")
    Path("links").mkdir()
    Path("links/secret").symlink_to("../../away/models/secret")
    text = BUNDLE.format(named.format(away=place / "away"))
    said = command("check", "--types", written("g.yaml", text)).stderr
    assert "g.yaml:2:" in said and "E113" in said and "outside" in said


@pytest.mark.parametrize(
    "named", ["~nosuch", "~nosuch/models", "a\\0b", "pipe", "x" * 300, "", "loop"]
)
def test_a_bundle_that_is_none(place: Path, named: str) -> None:
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    said = command("check", "--types", written("g.yaml", BUNDLE.format(named))).stderr
    assert "g.yaml:2:" in said or "has no part 'base'" in said


@pytest.mark.parametrize("named", [*OUTSIDE, "shapes/{away}/models", "shapes/../../../../x", "open_clip:ViT-B-32/{away}/w.pt"])  # fmt: skip
def test_a_model_outside_is_not_read(place: Path, named: str) -> None:
    Path("link").symlink_to("../away/models")
    Path("links").mkdir()
    Path("links/base").symlink_to("../../away/models/base")
    (place / "away" / "w.pt").write_bytes(b"x")
    text = MODEL.format(named.format(away=place / "away") + "/base" * (named in OUTSIDE))
    said = command("check", written("g.yaml", text)).stderr
    assert "g.yaml:3:" in said and ("outside" in said or "there is no file" in said)


def test_a_name_of_a_shipped_model_leads_nowhere_else(place: Path) -> None:
    assert shipped_folder("shapes/glide/base") is not None
    for name in (f"shapes/{place}/away/models/base", "shapes/../weights/../../x", "shapes/"):
        assert shipped_folder(name) is None


def test_a_link_among_a_models_files(place: Path) -> None:
    shutil.copytree(place / "away" / "models" / "base", "mine/base")
    command("check", written("g.yaml", BUNDLE.format("mine")), code=0)
    Path("mine/base/model.safetensors").unlink()
    Path("mine/base/model.safetensors").symlink_to(place / "away/models/base/model.safetensors")
    assert "E113" in command("check", "g.yaml").stderr
    assert "holds a link" in command("check", written("m.yaml", MODEL.format("mine/base"))).stderr
    # What the person at the keyboard names is that person's, with all that links in it lead to.
    command("plan", "g.yaml", "--models", "mine", code=0)


def test_a_pipe_among_a_models_files(place: Path) -> None:
    Path("mine/base").mkdir(parents=True)
    shutil.copy(place / "away/models/base/config.json", "mine/base")
    os.mkfifo("mine/base/model.safetensors")
    assert "is no file" in command("check", written("m.yaml", MODEL.format("mine/base"))).stderr
    Path("mine/base/config.json").unlink()
    os.mkfifo("mine/base/config.json")
    assert "a pipe" in command("check", written("g.yaml", BUNDLE.format("mine"))).stderr


def test_a_model_is_named_on_the_command_line(place: Path) -> None:
    written("g.yaml", BUNDLE.format("shapes/glide"))
    for named in ("../away/models", str(place / "away" / "models"), "~/models"):
        command("plan", "g.yaml", f"--models={named}", code=0)
    models = nodegraph.load("g.yaml", readable=[place / "away"], cached=False)
    assert models.session.compiled(models.opened, Job({"models": "../away/models"})).checked()


@pytest.mark.parametrize("prompt", ["..", "/", "{away}/models", "a. b", "x" * 600])
def test_a_text_on_the_command_line_opens_no_folder(place: Path, prompt: str) -> None:
    text = BUNDLE.format("../away/models").replace("hi", "$prompt")
    text = text.replace("inputs: {", "inputs: {prompt: {type: Text}, ")
    written("g.yaml", text)
    said = command("plan", "g.yaml", "--prompt", prompt.format(away=place / "away")).stderr
    assert "E113" in said


def test_what_a_picture_recorded_opens_no_folder(place: Path) -> None:
    for named in ("../away/models", str(place / "away" / "models"), "~/models"):
        record = {
            "graph": "g.yaml",
            "sources": {"g.yaml": BUNDLE.format("shapes/glide")},
            "inputs": {"models": named},
        }
        chunks = PngInfo()
        chunks.add_itxt("nodegraph", json.dumps(record))
        Image.new("RGB", (8, 8)).save("p.png", pnginfo=chunks)
        assert "outside" in command("run", "p.png").stderr
        command("plan", "p.png", "--models", str(place / "away" / "models"), code=0)


@pytest.mark.parametrize(
    ("node", "files"),
    [
        ("{type: load_image, file: FILE}", ["a.png"]),
        ("{type: mask_from_image, image: FILE}", ["a.png"]),
        ("{type: recorded_noise, file: FILE}", ["a.safetensors"]),
        ("{type: table_dataset, table: FILE, columns: [x]}", ["a.csv"]),
        ("{type: folder_dataset, folder: FILE}", ["pictures"]),
    ],
)
def test_files_on_ports(place: Path, node: str, files: list[str]) -> None:
    away = place / "away"
    Image.new("RGB", (8, 8)).save(away / "a.png")
    (away / "a.csv").write_text("x\n1\n")
    save_file({}, away / "a.safetensors")
    (away / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(away / "pictures" / "b.png")
    os.mkfifo("pipe")
    for file in files:
        Path("link").unlink(missing_ok=True)
        Path("link").symlink_to(away / file)
        for named in (
            f"../away/{file}",
            str(away / file),
            f"~/{file}",
            "link",
            "pipe",
            "~nosuch",
            "a\\0",
        ):
            text = f"graph: 1\nnodes:\n  a: {node}\noutputs: {{a: $a}}\n".replace(
                "FILE", f'"{named}"'
            )
            said = command("check", written("g.yaml", text)).stderr
            assert any(part in said for part in FAULTS), said


def test_a_folder_of_pictures_with_a_link_out(place: Path) -> None:
    Image.new("RGB", (8, 8)).save(place / "away" / "b.png")
    Path("pictures").mkdir()
    Path("pictures/b.png").symlink_to(place / "away" / "b.png")
    text = "graph: 1\ninputs: {folder: {type: ReadFolder, default: pictures}}\nnodes: {a: {type: folder_dataset, folder: $folder, size: 16}}\noutputs: {a: $a}\n"
    assert "holds a link" in command("check", written("g.yaml", text)).stderr
    command("plan", "g.yaml", "--folder", "pictures", code=0)


@pytest.mark.parametrize(
    "file", ["../a.png", "{away}/a.png", "~/../a.png", "sub/../../a.png", "out/a.png", "a\\0.png"]
)
def test_nothing_is_written_outside(place: Path, file: str) -> None:
    Image.new("RGB", (8, 8)).save("ok.png")
    before = {path for path in place.rglob("*") if "out" not in path.parts}
    text = f'graph: 1\nnodes:\n  a: {{type: load_image, file: ok.png}}\n  s: {{type: save_image, image: $a, file: "{file}"}}\noutputs: {{}}\n'
    inside = file in (
        "out/a.png",
        "~/../a.png",
    )  # below the output folder a `~` is a name like any other
    command("run", written("g.yaml", text.replace("{away}", str(place / "away"))), code=not inside)
    assert {path for path in place.rglob("*") if "out" not in path.parts} == before | {
        place / "here" / "g.yaml"
    }


def test_links_in_the_output_folder_lead_nothing_out(place: Path) -> None:
    Image.new("RGB", (8, 8)).save("ok.png")
    victim = place / "away" / "victim"
    victim.write_text("precious")
    text = "graph: 1\nnodes:\n  a: {type: load_image, file: ok.png}\n  g: {type: repeat_rows, value: $a, times: 2}\n  s: {type: save_image, image: $g, file: a.png}\noutputs: {}\n"
    Path("out").mkdir()
    for name in ("a.png", "a-0.png", "a-1.png"):
        Path("out", name).symlink_to(victim)
        assert "outside" in command("run", written("g.yaml", text)).stderr
        Path("out", name).unlink()
    Path("out/runs/part").mkdir(parents=True)
    Path("out/runs/part/config.json").symlink_to(victim)
    with pytest.raises(Outside, match="a link to a place outside"):
        Sandbox((), Path("out")).writing("runs")
    assert victim.read_text() == "precious"
    command("run", "g.yaml", code=0)


def test_a_bundle_whose_parts_are_no_models(place: Path) -> None:
    for kind in ('"list"', '"*"', '"?"', '"nothing"', "7", "null", "[]"):
        Path("mine/base").mkdir(parents=True, exist_ok=True)
        Path("mine/base/config.json").write_text(f'{{"format": 1, "kind": {kind}}}')
        assert (
            "E208" in command("check", "--types", written("g.yaml", BUNDLE.format("mine"))).stderr
        )
