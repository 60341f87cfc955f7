"""What is kept is shown again without torch: runs whose outputs are kept, and checks of what has not changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

GLIDE = ("glide/text_to_image", "--steps", "3")
UNCLIP = ("unclip/text_to_image", "--prior-steps", "3", "--decoder-steps", "3", "--upsample-steps", "2")  # fmt: skip
RERANK = ("unclip/rerank", "--decoder-steps", "2", "--upsample-steps", "1", "--count", "2")
POINTS = ("ddpm/points_2d", "--steps", "3", "--count", "8")
UPSAMPLE = ("glide/upsample", "--image", "given.png", "--steps", "2")
CODE = """
import sys
sys.argv = ["nodegraph", *{arguments!r}]
from nodegraph.cli import main
try:
    main()
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def called(cache: Path, folder: Path, *arguments: str) -> tuple[str, bool]:
    """What a command says, and whether it imported torch."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(arguments=arguments)],
        cwd=folder,
        env={**os.environ, "NODEGRAPH_CACHE": str(cache), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    *_, last = done.stderr.splitlines()
    assert last in ("True", "False"), done.stderr
    return done.stdout, last == "True"


def files(folder: Path, outputs: dict[str, list[str]]) -> dict[str, list[bytes]]:
    return {name: [(folder / one).read_bytes() for one in made] for name, made in outputs.items()}


@pytest.mark.parametrize("graph", [GLIDE, UNCLIP, RERANK, POINTS, UPSAMPLE], ids=lambda g: g[0])
def test_what_is_kept_is_written_again_without_torch(
    graph: tuple[str, ...], cache: Path, tmp_path: Path
) -> None:
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "given.png")
    first, imported = called(cache, tmp_path, "run", *graph, "--json")
    assert imported
    second, imported = called(cache, tmp_path, "run", *graph, "--json", "--device", "auto")
    assert not imported
    made, again = json.loads(first), json.loads(second)
    assert {node["status"] for node in again["nodes"].values()} == {"cached", "skipped"}
    assert made["outputs"] and made["outputs"] != again["outputs"]
    assert files(tmp_path, made["outputs"]) == files(tmp_path, again["outputs"])


def test_a_picture_that_changed_is_not_taken_for_what_it_was(cache: Path, tmp_path: Path) -> None:
    found: list[dict[str, list[bytes]]] = []
    for level in (0, 255):
        Image.new("RGB", (32, 32), (level, 0, 0)).save(tmp_path / "given.png")
        said, imported = called(cache, tmp_path, "run", *UPSAMPLE, "--json")
        assert imported
        found.append(files(tmp_path, json.loads(said)["outputs"]))
    assert found[0] != found[1]


def test_a_damaged_result_is_made_again(cache: Path, tmp_path: Path) -> None:
    first, _ = called(cache, tmp_path, "run", *GLIDE, "--json")
    for kept in (cache / "results").rglob("*.safetensors"):
        kept.write_bytes(b"damaged")
    second, imported = called(cache, tmp_path, "run", *GLIDE, "--json")
    made, again = json.loads(first)["outputs"], json.loads(second)["outputs"]
    assert imported and files(tmp_path, made) == files(tmp_path, again)


@pytest.mark.parametrize("graph", [GLIDE[0], UNCLIP[0], "variations/karlo", UPSAMPLE[0]])
def test_an_unchanged_check_does_without_torch(graph: str, cache: Path, tmp_path: Path) -> None:
    found = [called(cache, tmp_path, "check", graph, "--json") for _ in range(2)]
    assert found[0][0] == found[1][0] == "[]\n"
    assert [imported for _, imported in found] == [True, False]


def test_a_check_of_what_changed_is_a_check(cache: Path, tmp_path: Path) -> None:
    graph = tmp_path / "g.yaml"
    text = """graph: 1
nodes:
  drawn: {type: shapes_scene, caption: a red circle, size: 32}
  large: {type: resize, image: $drawn, size: 64}
outputs:
  image: $large
"""
    graph.write_text(text)
    assert called(cache, tmp_path, "check", "g.yaml", "--json") == ("[]\n", True)
    graph.write_text("# a comment\n" + text)
    assert called(cache, tmp_path, "check", "g.yaml", "--json") == ("[]\n", False)
    graph.write_text(text.replace("64", "48"))
    assert called(cache, tmp_path, "check", "g.yaml", "--json") == ("[]\n", True)
    graph.write_text(text.replace("a red circle", "no caption"))
    for _ in range(2):
        said, imported = called(cache, tmp_path, "check", "g.yaml", "--json")
        assert imported and json.loads(said)
