"""Markup and control characters of strangers, through every command: they are shown, and nothing obeys them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import strange
from file_server import Served, serving
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from strange import EVIL
from test_fetching_limits import answering, sends
from typer.testing import CliRunner

from nodegraph.cli import app, console, models, running
from nodegraph.cli.console import Screen
from nodegraph.library.registry import from_modules

OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
QUOTED = json.dumps(EVIL)
GRAPH = f"""\
graph: 1
title: {QUOTED}
description: {QUOTED}
inputs:
  p: {{type: Text, default: {QUOTED}, help: {QUOTED}}}
  c: {{type: str, default: plain, menu: [plain, {QUOTED}]}}
presets: {{{QUOTED}: {{p: x}}}}
nodes:
  a: {{type: strange, text: $p, choice: $c}}
  b: {{type: steps, text: $a}}
outputs: {{a: $a, b: $b}}
"""
FAILING = """\
graph: 1
inputs: {way: {type: str, default: value}}
nodes:
  a: {type: strange}
  b: {type: fails, text: $a, way: $way}
outputs: {b: $b}
"""
FAULTY = f"""\
graph: 1
{QUOTED}: 1
inputs: {{{QUOTED}: {{type: {QUOTED}}}, p: {{type: Text, default: 1, {QUOTED}: 1}}}}
nodes:
  {QUOTED}: {{type: {QUOTED}}}
  a: {{type: strange, {QUOTED}: 1, text: {QUOTED}, choice: {QUOTED}}}
  b: {{type: strange, text: {QUOTED[:-1]}$x"}}
outputs: {{a: $a, b: {QUOTED}}}
"""
NAME = "[red]\x1b[41m\r\u202e.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = from_modules([strange])
    monkeypatch.setattr(console, "known", lambda _: found)
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name, text in (("g.yaml", GRAPH), ("f.yaml", FAILING), ("x.yaml", FAULTY), (NAME, GRAPH)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    catalogue(tmp_path, "http://127.0.0.1:9/x.pt")
    record = {"graph": "g.yaml", "sources": {"g.yaml": GRAPH}, "inputs": {EVIL: EVIL}, EVIL: 1}
    chunks = PngInfo()
    chunks.add_itxt("nodegraph", json.dumps({**record, "device": EVIL}))
    Image.new("RGB", (4, 4)).save(tmp_path / "p.png", pnginfo=chunks)
    console._registry.cache_clear()
    yield tmp_path
    console._registry.cache_clear()


def catalogue(folder: Path, url: str) -> None:
    part = {"kind": "UNet", "layout": "openai_glide", "files": [{"url": url, "parameters": 1}]}
    about = {"licence": EVIL, "source": EVIL, "card": EVIL, "card_url": EVIL, "terms": EVIL}
    record = {"[red]x": {**about, "parts": {"[/]p": part}}}
    (folder / "models" / "catalogue.json").write_text(json.dumps(record), encoding="utf-8")


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


SHOWN = [
    ("run", "g.yaml", "--no-cache"),
    ("run", "g.yaml", "--no-cache", "--json"),
    ("run", "g.yaml", "--help"),
    ("run", NAME, "--help"),
    ("run", NAME, "--no-cache"),
    ("run", "f.yaml"),
    ("run", "f.yaml", "--way", "runtime"),
    ("run", "f.yaml", "--way", "key", "--traceback"),
    ("run", "f.yaml", "--json"),
    ("run", "p.png", "--no-cache"),
    ("run", "x.yaml"),
    ("run", "x.yaml", "--json"),
    ("run", EVIL),
    ("run", f"{EVIL}.yaml"),
    ("run", f"{EVIL}.png"),
    ("run", "g.yaml", "--preset", EVIL, "--no-cache"),
    ("run", "g.yaml", "--preset", f"{EVIL}z"),
    ("run", "g.yaml", f"--{EVIL}", "1"),
    ("run", "g.yaml", "--p", EVIL, "--no-cache"),
    ("run", "g.yaml", "--c", f"{EVIL}z"),
    ("run", "g.yaml", EVIL),
    ("run", "g.yaml", "--device", EVIL),
    ("run", "g.yaml", "--precision", EVIL),
    ("run", "g.yaml", "--max-megapixels", EVIL),
    ("check", "g.yaml"),
    ("check", "g.yaml", "--json"),
    ("check", NAME),
    ("check", "f.yaml"),
    ("check", "x.yaml"),
    ("check", "x.yaml", "--types"),
    ("check", "x.yaml", "--json"),
    ("check", EVIL),
    ("check", f"--{EVIL}"),
    ("plan", "g.yaml"),
    ("plan", "g.yaml", "--json"),
    ("plan", "g.yaml", "--help"),
    ("plan", "x.yaml"),
    ("plan", EVIL),
    ("nodes",),
    ("nodes", "strange"),
    ("nodes", "strange", "--json"),
    ("nodes", EVIL),
    ("nodes", "--into", EVIL),
    ("fmt", "x.yaml", EVIL),
    ("fmt", "--check", NAME),
    ("schema",),
    ("schema", "--out", f"{EVIL}/x"),
    ("cache", f"--{EVIL}"),
    ("models",),
    ("models", "--json"),
    ("models", "get", EVIL),
    ("models", "get", "[red]x"),
    ("models", "get", "[red]x", "--accept-licence"),
    ("models", "add", EVIL, "--as", "[red]x/[/]p"),
    ("models", "add", "g.yaml", "--as", EVIL),
    ("models", "add", "g.yaml", "--as", "[red]x/[/]p"),
]

SILENT = [
    ("run", "p.png", "--no-cache"),
    ("run", "g.yaml", "--max-megapixels", EVIL),
    ("nodes", "--into", EVIL),
]
"""What says what is wrong without the text."""


@pytest.mark.parametrize("arguments", SHOWN)
def test_texts_are_shown_and_not_obeyed(arguments: tuple[str, ...]) -> None:
    text = said(*arguments)
    assert "[red]" in text or arguments in SILENT, text
    assert not OBEYED.search(text), ascii(text)


def test_json_gives_such_texts_whole() -> None:
    done = CliRunner().invoke(app, ["run", "g.yaml", "--json", "--no-cache"])
    assert json.loads(done.stdout)["outputs"]["a"] == EVIL


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Bars move by control characters of our own; none of a node, a model or a server is among them."""
    for module in (console, running, models):
        monkeypatch.setattr(module, "errors", Screen(stderr=True, force_terminal=True, width=200))
    with serving(Served(b"no weights"), "x.pt") as served:
        catalogue(folder, served.url)
        texts = (
            said("run", "g.yaml", "--no-cache"),
            said("models", "get", "[red]x", "--accept-licence"),
        )
    for text in texts:
        assert "[red]" in text
        assert not re.search("PWNED\x07|\x1b]0|\x9b|\u202e|\u2066", text)
        assert "\x1b[41m" not in text


def test_what_a_server_says(folder: Path) -> None:
    def refuses(handler: object) -> None:
        handler.send_response(404, "[red]\x1b[41m\x9b gone")  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]

    answers = (refuses, sends(b"x", ETag="[red]\x1b[41m", Content_Length="1"))
    for answer in answers:
        with answering(answer) as address:
            catalogue(folder, f"{address}/x.pt")
            text = said("models", "get", "[red]x", "--accept-licence")
        assert not OBEYED.search(text), ascii(text)


def test_a_terminal_that_cannot_show_a_character_gets_another(folder: Path) -> None:
    """One process goes through every command, as a terminal of that kind would start them."""
    program = (
        "import sys, json; from nodegraph import cli\n"
        "for line in json.loads(sys.stdin.read()):\n"
        "    sys.argv = ['nodegraph', *line]\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: print('ended', end.code in (None, 0, 1, 2))\n"
    )
    title = json.dumps("Ω – 絵 …")
    (folder / "u.yaml").write_text(
        f"graph: 1\ntitle: {title}\ninputs: {{p: {{type: Text, default: {title}, help: {title}}}}}\n"
        f"nodes: {{}}\noutputs: {{p: $p}}\npresets: {{{title}: {{p: x}}}}\n",
        encoding="utf-8",
    )
    commands = [
        ("run", "u.yaml"), ("run", "u.yaml", "--json"), ("run", "u.yaml", "--help"), ("run", "Ω.yaml"),
        ("run", "--help"), ("check", "u.yaml", "Ω"), ("check", "Ω", "--json"), ("plan", "u.yaml"),
        ("plan", "u.yaml", "--json"), ("nodes",), ("nodes", "slerp"), ("nodes", "Ω"), ("nodes", "--json"),
        ("fmt", "u.yaml"), ("fmt", "Ω"), ("schema",), ("cache",), ("models",), ("models", "--json"),
        ("models", "get", "Ω"), ("models", "add", "Ω", "--as", "[red]x/[/]p"), ("--help",), ("Ω",),
        ("models", "get", "[red]x", "--accept-licence"), ("run", "u.yaml", "--Ω"), ("check",),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(commands).encode(),
        env={
            **os.environ,
            "PYTHONIOENCODING": "ascii",
            "LANG": "C",
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
        },
        capture_output=True,
        timeout=120,
    )
    output = done.stdout.decode("ascii") + done.stderr.decode("ascii")
    assert "Traceback" not in output, output[-3000:]
    assert output.count("ended True") == len(commands), output[-3000:]
