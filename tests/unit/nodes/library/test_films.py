"""Films: their frames, how long each stays, what they carry, and what is said where they cannot be made."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor
from typer.testing import CliRunner

import nodegraph
from nodegraph import Mismatch
from nodegraph.cli import app
from nodegraph.runtime.provenance import CHUNK
from nodes import film
from nodes.picture_files import films
from nodes.wires.films import PORT_TYPES, Film, write_film

GRAPH = """graph: 1
nodes:
  one:   {type: shapes_scene, caption: a red circle, size: 32}
  two:   {type: shapes_scene, caption: a blue star, size: 32}
  sheet: {type: grid, images: [$one, $two]}
  shown: {type: film, images: $sheet, fps: 4, format: FORMAT}
outputs: {film: $shown}
"""


def plain(*greys: float, side: int = 8) -> Tensor:
    """Pictures of one grey each, in [-1, 1]."""
    return torch.tensor(greys).view(-1, 1, 1, 1).expand(-1, 3, side, side).contiguous()


def written(value: Film, folder: Path) -> Path:
    (path,) = write_film(value, folder, "film", {CHUNK: '{"graph": "g"}'})
    return path


def gif(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Frames and how long each stays, in milliseconds."""
    frames, stay = [], []
    with PillowImage.open(path) as found:
        for number in range(found.n_frames):
            found.seek(number)
            frames.append(np.asarray(found.convert("RGB")))
            stay.append(found.info["duration"])
    return frames, stay


def test_a_gif_has_each_frame_for_its_time(tmp_path: Path) -> None:
    path = written(film([plain(-1, 0, 1)], fps=10, pause=0.5), tmp_path)
    frames, stay = gif(path)
    assert path.name == "film.gif"
    assert stay == [100, 100, 600]
    assert [int(frame.mean()) for frame in frames] == [0, 128, 255]
    with PillowImage.open(path) as found:
        assert found.info["loop"] == 0
        assert found.info["comment"] == b'{"graph": "g"}'


def test_noise_keeps_its_colours_as_far_as_256_go(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 16, 16, generator=generator) * 2 - 1
    made = film([noise])
    frames, _ = gif(written(made, tmp_path))
    off = np.abs(np.stack(frames).astype(int) - made.frames.numpy().astype(int))
    assert off.mean() < 12
    assert len(frames) == 2


def test_pictures_of_several_follow_and_others_run_beside_them_and_pixels_are_enlarged() -> None:
    made = film([plain(-1, side=4), plain(-1, side=4)], [plain(1, 1, side=4)], enlarge=3)
    assert made.frames.shape == (2, 12, 24, 3)
    assert not made.frames[:, :, :12].any()
    assert bool((made.frames[:, :, 12:] == 255).all())


def test_what_makes_no_film_is_told() -> None:
    with pytest.raises(Mismatch, match="at least one picture"):
        film([])
    with pytest.raises(Mismatch, match="1 frames, and 2 beside them"):
        film([plain(0)], [plain(0, 1)])
    with pytest.raises(Mismatch, match="4 × 4 pixels and 8 × 8 pixels"):
        film([plain(0, side=4), plain(0)])


def test_without_its_encoder_mp4_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(films, "find_spec", lambda _: None)
    (tmp_path / "g.yaml").write_text(GRAPH.replace("FORMAT", "mp4"), "utf-8")
    (fault,) = nodegraph.load(tmp_path / "g.yaml", cached=False).check()
    assert "PyAV" in fault.message
    assert "nodegraph[film]" in str(fault.hint)
    assert fault.span is not None
    assert fault.span.line == 6
    with pytest.raises(ValueError, match=r"nodegraph\[film\]"):
        films.write_mp4(np.zeros((1, 2, 2, 3), np.uint8), 8, tmp_path / "x.mp4", "")
    assert not (tmp_path / "x.mp4").exists()


@pytest.mark.parametrize("side", [16, 17])
def test_an_mp4_has_its_frames_and_the_pause(side: int, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = written(film([plain(-1, 0, 1, side=side)], fps=5, pause=0.4, format="mp4"), tmp_path)
    assert path.name == "film.mp4"
    with av.open(str(path)) as found:
        frames = [frame.to_ndarray(format="rgb24") for frame in found.decode(video=0)]
        assert found.streams.video[0].average_rate == Fraction(5)
        assert found.metadata["comment"] == '{"graph": "g"}'
    assert [frame.shape for frame in frames] == [(side + side % 2, side + side % 2, 3)] * 5
    for frame, grey in zip(frames, (0, 128, 255, 255, 255), strict=True):
        assert abs(float(frame.mean()) - grey) <= 3


def test_a_graph_writes_it_with_where_it_comes_from_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH.replace("FORMAT", "gif"), "utf-8")
    for _ in range(2):
        done = CliRunner().invoke(app, ["run", "g.yaml", "--json"])
        assert done.exit_code == 0, done.output
        (path,) = json.loads(done.stdout)["outputs"]["film"]
        with PillowImage.open(path) as found:
            assert json.loads(found.info["comment"])["graph"] == "g.yaml"
    assert json.loads(done.stdout)["nodes"]["shown"]["status"] == "cached"


def test_it_is_kept_as_it_is(tmp_path: Path) -> None:
    port, made = PORT_TYPES[Film], film([plain(-1, 1)], fps=12.5, pause=0.25)
    port.dump(made, tmp_path)
    found = port.load(tmp_path)
    assert torch.equal(found.frames, made.frames)
    assert (found.fps, found.pause, found.format) == (12.5, 0.25, "gif")
    assert port.describe(found) == "2 frames of 8 × 8 pixels, 12.5 a second, gif"
    assert port.check(found) is None


def test_from_python_it_is_saved_and_shown(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH.replace("FORMAT", "gif"), "utf-8")
    result = nodegraph.load(tmp_path / "g.yaml", cached=False)()
    assert repr(result.film) == "<film of 1 frames of 32 × 66 pixels, 4 a second, gif>"
    assert 'src="data:image/gif;base64,R0lGOD' in result._repr_html_()
    assert result.save(tmp_path / "x.gif") == [tmp_path / "x.gif"]
    with PillowImage.open(tmp_path / "x.gif") as found:
        assert json.loads(found.info["comment"])["graph"] == "g.yaml"
    for name, says in (
        ("x.mp4", "no output is a film in MP4"),
        ("x.png", "no output is a picture"),
        ("x.bmp", "must end with"),
    ):
        with pytest.raises(ValueError, match=says):
            result.save(tmp_path / name)
        assert not (tmp_path / name).exists()
