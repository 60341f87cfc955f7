"""The command line as a user meets it: real processes, the shipped weights."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from nodegraph import GraphError
from nodegraph.api import load as nodegraph_load
from nodegraph.cli import app

ROOT = Path(__file__).parents[2]
FEW = ["glide/text_to_image", "--steps", "3"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def nodegraph(
    cache: Path, folder: Path, *arguments: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("nodegraph")), *arguments]
    environment = {**os.environ, "NODEGRAPH_CACHE": str(cache), "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def run_json(cache: Path, folder: Path, *arguments: str) -> dict:
    return json.loads(nodegraph(cache, folder, "run", *arguments, "--json").stdout)


def statuses(result: dict) -> set[str]:
    return {node["status"] for node in result["nodes"].values()}


def picture(result: dict, folder: Path) -> np.ndarray:
    return np.asarray(Image.open(folder / result["outputs"]["image"][0]))


def test_run_twice_then_change_then_repeat_from_the_picture(cache: Path, tmp_path: Path) -> None:
    # A folder with files named like our packages must not disturb us.
    (tmp_path / "nodes.py").write_text("raise RuntimeError('wrong nodes')", encoding="utf-8")
    (tmp_path / "server.py").write_text("raise RuntimeError('wrong server')", encoding="utf-8")
    first = run_json(cache, tmp_path, *FEW)
    assert picture(first, tmp_path).shape == (128, 128, 3)
    second = run_json(cache, tmp_path, *FEW)
    assert statuses(second) == {"cached", "skipped"}
    changed = run_json(cache, tmp_path, *FEW, "--guidance", "1.5")
    nodes = changed["nodes"]
    assert nodes["small"]["status"] == nodes["large/large"]["status"] == "ran"
    assert nodes["text"]["status"] in ("cached", "ran")
    assert nodes["guided"]["status"] == "rebuilt"
    assert (picture(changed, tmp_path) != picture(first, tmp_path)).any()
    again = run_json(cache, tmp_path, first["outputs"]["image"][0], "--no-cache")
    assert (picture(again, tmp_path) == picture(first, tmp_path)).all()
    assert first["outputs"] != again["outputs"]


def test_a_picture_is_made_again_with_its_own_precision(cache: Path, tmp_path: Path) -> None:
    rounded = run_json(cache, tmp_path, *FEW, "--precision", "bfloat16")
    (name,) = rounded["outputs"]["image"]
    again = run_json(cache, tmp_path, name, "--no-cache")
    assert (picture(again, tmp_path) == picture(rounded, tmp_path)).all()
    exact = run_json(cache, tmp_path, name, "--precision", "float32")
    assert (picture(exact, tmp_path) != picture(rounded, tmp_path)).any()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_file_that_cannot_be_read_is_told_at_its_input(
    command: str, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    wrong = {
        "absent.png": "there is no file",
        "broken.png": "cannot be read as a picture",
        ".": "picture",
    }
    for name, told in wrong.items():
        done = nodegraph(cache, tmp_path, command, "glide/sdedit", "--image", name, code=1)
        assert "E403" in done.stderr and told in done.stderr and "Traceback" not in done.stderr
        assert "input 'image' (--image): " in done.stderr and ".yaml" not in done.stderr


def test_a_value_that_cannot_be_read_is_told_once_at_its_input() -> None:
    done = CliRunner().invoke(app, ["run", "glide/text_to_image", "--seed", "1.5"])
    assert done.output.count("1.5 is not a whole number; a seed is one") == 1
    assert "input 'seed' (--seed): " in done.output and ".yaml" not in done.output
    with pytest.raises(GraphError, match=r"^E...[^:]*: input 'seed': 1.5 is not a whole number"):
        nodegraph_load("glide/text_to_image")(seed=1.5)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("PYTHONIOENCODING=ascii LC_ALL=C {} nodes slerp", "t[T] on B rows gives B?T"),
        ("PYTHONIOENCODING=ascii LC_ALL=C {} nodes --json", "t[T] on B rows gives B\\u00b7T"),
        ("PYTHONIOENCODING=ascii LC_ALL=C {} run g.yaml --n 12 2>&1", "allowed 1 ? 9"),
        ("{} nodes >&-; echo $?", "0"),
        ("{} schema >&-; echo $?", "0"),
        ("{} nodes 2>&1 >/dev/full", "No space left on device"),
        ("{} schema 2>&1 >/dev/full", "No space left on device"),
        ("{} run g.yaml --n 3 --json 2>&1 >/dev/full", "No space left on device"),
        ("{} nodes --json 2>&1 | head -c 3", "[{"),
    ],
)
def test_output_that_takes_not_all(line: str, says: str, cache: Path, tmp_path: Path) -> None:
    text = "graph: 1\ninputs: {n: {type: int, min: 1, max: 9}}\nnodes: {}\noutputs: {n: $n}\n"
    (tmp_path / "g.yaml").write_text(text, encoding="utf-8")
    environment = {**os.environ, "NODEGRAPH_CACHE": str(cache), "COLUMNS": "200"}
    shell = line.format(Path(sys.executable).with_name("nodegraph"))
    done = subprocess.run(
        shell,
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert says in done.stdout
    assert "Traceback" not in done.stdout + done.stderr and "ignored" not in done.stderr


PASSED = "graph: 1\ninputs: {prompt: {type: Text}}\nnodes: {}\noutputs: {prompt: $prompt}\n"


def carrying(path: Path, record: object) -> None:
    chunks = PngInfo()
    chunks.add_itxt("nodegraph", record if isinstance(record, str) else json.dumps(record))
    Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)


def test_pictures_with_damaged_graphs_are_diagnostics(cache: Path, tmp_path: Path) -> None:
    sources = {"graph": "g.yaml", "sources": {"g.yaml": PASSED}}
    damaged = {
        "deep.png": "[" * 200_000,
        "number.png": sources | {"sources": {"g.yaml": 5}},
        "markup.png": sources | {"inputs": {"prompt": "x"}, "device": "[red]\x1b[31m"},
    }
    for name, record in damaged.items():
        carrying(tmp_path / name, record)
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    names = [*damaged, "plain.png"]
    done = nodegraph(cache, tmp_path, "check", *names, "--json", code=1)
    found = json.loads(done.stdout)
    assert [fault["code"] for fault in found] == ["E008"] * 4
    assert [fault["file"] for fault in found] == names
    for command, name in zip(("run", "plan", "run", "plan"), names, strict=True):
        said = nodegraph(cache, tmp_path, command, name, code=1).stderr
        assert "graph cannot be read" in said and "\x1b" not in said
    carrying(tmp_path / "good.png", sources | {"inputs": {"prompt": "a red star"}})
    assert "good.png: ok" in nodegraph(cache, tmp_path, "check", "good.png").stderr
    carrying(tmp_path / "odd.png", sources | {"inputs": {"prompt": 5, "promt": "x"}})
    done = nodegraph(cache, tmp_path, "check", "odd.png", "--json", code=1)
    assert {fault["code"] for fault in json.loads(done.stdout)} == {"E208", "E110"}


def test_a_long_text_is_no_path(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(PASSED, encoding="utf-8")
    for length in (255, 256, 1023):
        found = run_json(cache, tmp_path, "g.yaml", "--prompt", "a" * length)
        assert found["outputs"]["prompt"] == "a" * length


def test_larger_pictures_are_allowed_by_an_option(cache: Path, tmp_path: Path) -> None:
    text = "graph: 1\ninputs: {image: {type: Image}}\nnodes: {}\noutputs: {image: $image}\n"
    (tmp_path / "g.yaml").write_text(text, encoding="utf-8")
    Image.new("1", (500, 400)).save(tmp_path / "a.png")
    asked = ("plan", "g.yaml", "--image", "a.png", "--max-megapixels")
    said = nodegraph(cache, tmp_path, *asked, "0.19", code=1).stderr
    assert "0.2 megapixels" in said and "--max-megapixels" in said
    nodegraph(cache, tmp_path, *asked, "0.2")
    said = nodegraph(cache, tmp_path, *asked, "nan", code=2).stderr
    assert "max_megapixels is a number above 0" in said


def test_a_picture_of_other_weights_says_so(cache: Path, tmp_path: Path) -> None:
    (name,) = run_json(cache, tmp_path, *FEW)["outputs"]["image"]
    with Image.open(tmp_path / name) as opened:
        record = json.loads(opened.info["nodegraph"])
        record["models"]["shapes/glide/base"] = "another"
        chunks = PngInfo()
        chunks.add_itxt("nodegraph", json.dumps(record))
        opened.save(tmp_path / "other.png", pnginfo=chunks)
    said = nodegraph(cache, tmp_path, "run", "other.png").stderr
    assert "'shapes/glide/base' has other weights" in said
    assert "upsample'" not in said


def test_programs_read_faults_of_a_run(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text("graph: 1\nnodes: {a: {type: nothing}}\noutputs: {a: $a}\n")
    for arguments in (("g.yaml",), ("h.yaml",), ("glide/text_to_image", "--seed", "x")):
        done = nodegraph(cache, tmp_path, "run", *arguments, "--json", code=1)
        found = json.loads(done.stdout)
        assert (found["outputs"], found["nodes"]) == ({}, {})
        keys = {"code", "severity", "message", "file", "line", "column", "hint"}
        assert keys <= found["diagnostics"][0].keys()


@pytest.mark.parametrize("out", ["afile", "afile/deeper", "/proc/1"])
def test_a_place_that_cannot_be_written_is_told_before_the_run(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nodegraph.runtime.engine.Engine.run", None)
    (tmp_path / "afile").write_text("a file, not a folder", encoding="utf-8")
    done = CliRunner().invoke(app, ["run", "glide/text_to_image", "--out", out])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (1, True)
    assert f"{out} cannot be written" in done.output and "say --out FOLDER" in done.output


def test_who_writes_no_file_needs_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "graph: 1\ninputs: {a: {type: int, default: 1}}\nnodes: {}\noutputs: {a: $a}\n"
    (tmp_path / "g.yaml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(
        app, ["run", str(tmp_path / "g.yaml"), "--out", str(tmp_path / "g.yaml")]
    )
    assert done.stdout == "a: 1\n"


def test_composites_are_graphs_by_name(cache: Path, tmp_path: Path) -> None:
    assert "--temperature" in nodegraph(cache, tmp_path, "run", "upsampler", "--help").stdout
    nodegraph(cache, tmp_path, "check", "upsampler", "guided_denoiser")


def test_the_module_is_the_command(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "nodes.py").write_text("raise RuntimeError('wrong nodes')", encoding="utf-8")
    text = "graph: 1\nnodes: {d: {type: points_dataset}}\noutputs: {d: $d}\n"
    (tmp_path / "g.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "nodegraph", "run", "g.yaml", "--quiet"]
    environment = {**os.environ, "NODEGRAPH_CACHE": str(cache)}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_of_a_graph_lists_its_inputs(cache: Path, tmp_path: Path) -> None:
    shown = nodegraph(cache, tmp_path, "run", "glide/text_to_image", "--help").stdout
    for option in ("--prompt", "--guidance", "--seed", "--preset", "openai"):
        assert option in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "glide/text_to_image", "--device", "tpu"), "no device 'tpu'"),
        (("run", "glide/text_to_image", "--preset", "openai"), "are not on this machine"),
        (("run", "glide/text_to_image", "--preset", "openai"), "models get openai/glide/base"),
        (("run", "glide/text_to_image", "--steps", "abc"), "input 'steps' (--steps): steps 'abc'"),
        (("run", "nothing.png"), "nothing.png cannot be read: No such file"),
    ],
)
def test_mistakes_are_explained(
    cache: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    environment = {**os.environ, "NODEGRAPH_CACHE": str(cache), "COLUMNS": "200"}
    command = [str(Path(sys.executable).with_name("nodegraph")), *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


WRITES = """graph: 1
nodes:
  model: {type: network, like: shapes/glide/base}
  loss: {type: v_objective}
  data: {type: shapes_dataset}
  out: {type: trainer, network: $model, objective: $loss, dataset: $data, run_dir: ../../away, steps: 1}
outputs: {history: $out.history}
"""
READS = """graph: 1
nodes:
  a: {type: load_image, file: ../secret.png}
outputs: {image: $a}
"""


@pytest.mark.parametrize(
    ("text", "says"), [(WRITES, "writes only below"), (READS, "reads only below")]
)
def test_a_graph_stays_in_its_places(cache: Path, tmp_path: Path, text: str, says: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (inside / "g.yaml").write_text(text, encoding="utf-8")
    assert says in nodegraph(cache, inside, "run", "g.yaml", code=1).stderr
    chunks = PngInfo()
    record = {"graph": "g.yaml", "sources": {"g.yaml": text}, "inputs": {}}
    chunks.add_itxt("nodegraph", json.dumps(record))
    Image.new("RGB", (8, 8)).save(inside / "strange.png", pnginfo=chunks)
    assert says in nodegraph(cache, inside, "run", "strange.png", code=1).stderr
    assert not (tmp_path.parent / "away").exists()


def test_check_finds_what_does_not_belong_together(cache: Path, tmp_path: Path) -> None:
    text = """graph: 1
nodes:
  text: {type: text_encoder, model: shapes/glide/base, text: a red circle}
  both: {type: unet_denoiser, model: shapes/glide/upsample, conditions: $text}
  none: {type: unet_denoiser, model: openai/glide/base}
  schedule: {type: noise_scheduler, kind: linear, steps: 10}
  fine: {type: unet_denoiser, model: shapes/glide/base, conditions: $text}
  image: {type: ddim_sampler, denoiser: $fine, schedule: $schedule}
outputs: {a: $both, b: $none, c: $image}
"""
    (tmp_path / "g.yaml").write_text(text, encoding="utf-8")
    found = json.loads(nodegraph(cache, tmp_path, "check", "g.yaml", "--json", code=1).stdout)
    assert [(f["code"], f["line"]) for f in found] == [("E402", 4), ("E402", 5), ("E402", 8)]
    assert "low-resolution" in found[0]["message"]
    assert "text" in found[1]["message"]
    assert "linear chain" in found[2]["message"]


def test_other_commands(cache: Path, tmp_path: Path) -> None:
    assert "shapes/glide" in nodegraph(cache, tmp_path, "models").stdout
    assert "slerp" in nodegraph(cache, tmp_path, "nodes", "--into", "Image").stdout
    assert "Ho & Salimans" in nodegraph(cache, tmp_path, "nodes", "classifier_free_guidance").stdout
    assert (
        "classifier_free_guidance"
        in nodegraph(cache, tmp_path, "nodes", "guidance combiner").stdout
    )
    schema = json.loads(nodegraph(cache, tmp_path, "schema").stdout)
    assert schema["properties"]["graph"]["const"] == 1
    plan = json.loads(
        nodegraph(
            cache, tmp_path, "plan", "glide/text_to_image", "--preset", "openai", "--json"
        ).stdout
    )
    assert plan["flops"] > 1e12
    assert nodegraph(cache, tmp_path, "cache").stdout
    assert "MiB freed" in nodegraph(cache, tmp_path, "cache", "--clear").stdout


def test_torch_is_not_imported_where_it_is_not_needed(cache: Path, tmp_path: Path) -> None:
    nodegraph(cache, tmp_path, "nodes")
    commands = [
        ["--help"],
        ["nodes"],
        ["models"],
        ["schema"],
        ["fmt", "--check", "g.yaml"],
        ["fix", "--types", "g.yaml"],
        ["check", "--types", "glide/text_to_image"],
    ]
    (tmp_path / "g.yaml").write_text("graph: 1\nnodes:\noutputs:\n", encoding="utf-8")
    for command in commands:
        code = f"""
import sys
sys.argv = ["nodegraph", *{command!r}]
from nodegraph import GraphError
from nodegraph.api import load as nodegraph_load
from nodegraph.cli import app
try:
    app()
except SystemExit:
    pass
assert "torch" not in sys.modules, {command!r}
"""
        environment = {**os.environ, "NODEGRAPH_CACHE": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_check_does_not_import_open_clip(cache: Path, tmp_path: Path) -> None:
    code = """
import sys
sys.argv = ["nodegraph", "check", "glide/text_to_image", "--preset", "openai"]
from nodegraph import GraphError
from nodegraph.api import load as nodegraph_load
from nodegraph.cli import app
try:
    app()
except SystemExit as stop:
    assert not stop.code
assert "open_clip" not in sys.modules
"""
    environment = {**os.environ, "NODEGRAPH_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


STRUCK = """
import os, signal, sys
from nodegraph.cli import main, running
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from nodegraph.runtime.events import Stepped
follow = running.Report.follow
def struck(self, event, progress):
    follow(self, event, progress)
    if isinstance(event, Stepped):
        os.kill(os.getpid(), NUMBER)
running.Report.follow = struck
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_a_word(
    number: int, code: int, cache: Path, tmp_path: Path
) -> None:
    nodegraph(cache, tmp_path, "nodes")
    command = [
        sys.executable,
        "-c",
        STRUCK.replace("NUMBER", str(int(number))),
        "run",
        *FEW,
        "--no-cache",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "NODEGRAPH_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == "cancelled; what had finished is kept"


def test_shipped_graphs_are_formatted() -> None:
    from nodegraph.language.format import formatted

    for path in sorted((ROOT / "graphs").rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert formatted(text, str(path)) == text, path


def test_listing_the_commands_imports_nothing_heavy() -> None:
    code = "import sys; from nodegraph.cli import app; app(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = done.stdout.rpartition("[")[2]
    for heavy in (
        "torch",
        "numpy",
        "PIL",
        "matplotlib",
        "sqlalchemy",
        "fastapi",
        "huggingface_hub",
    ):
        assert f"'{heavy}'" not in found, heavy
