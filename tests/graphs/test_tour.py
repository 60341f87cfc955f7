"""The tour: every command runs as it stands, makes the picture below it, and stands in both languages."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from told import DOCS, commands, told

COMMANDS = commands("tour.md")
UNSTEADY = ("-accuracy_plot", "-points")
"""What rounding may change to the eye: yes or no of few pictures, and a training."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that makes the pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        import make_tour
    return make_tour


@pytest.fixture(scope="module")
def stems(script: ModuleType) -> dict[str, str]:
    return script.stems((DOCS / "tour.md").read_text("utf-8"))


def test_both_languages_have_the_same_stops() -> None:
    english, chinese = ((DOCS / page).read_text("utf-8") for page in ("tour.md", "tour.zh.md"))
    assert len(COMMANDS) >= 15
    assert commands("tour.zh.md") == COMMANDS
    for what in (
        r"```python\n(.*?)```",
        r"\]\((images/[\w/.-]+)\)",
        r"\$\$\n(.*?)\$\$",
        r"\]\(nodes\.md#(\w+)\)",
        r"^(#+ )",
    ):
        wanted = re.findall(what, english, re.DOTALL | re.MULTILINE)
        assert re.findall(what, chinese, re.DOTALL | re.MULTILINE) == wanted, what


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[2])
def test_it_runs_and_makes_the_picture_of_the_page(
    command: str,
    script: ModuleType,
    stems: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(DOCS)
    done = told(command)
    assert done.exit_code == 0, done.output
    names = [stem for stem, maker in stems.items() if maker == command]
    assert names, "no picture of the page is this command's"
    for stem in names:
        made = np.asarray(script.shown(tmp_path / "out", stem), np.float32)
        kept = np.asarray(Image.open(DOCS / "images" / "tour" / f"{stem}.png"), np.float32)
        assert made.shape == kept.shape
        if not stem.endswith(UNSTEADY):
            assert np.abs(made - kept).mean() < 4, f"run docs/make_tour.py {stem}"  # of 255


def test_its_script_runs() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (DOCS / "tour.md").read_text("utf-8"), re.DOTALL)
    with torch.no_grad():
        space: dict[str, Any] = {}
        exec(compile(script, "tour", "exec"), space)
    measured = [round(space[name], 1) for name in ("learned", "large", "small")]
    assert measured == [3.1, 5.4, 6.2]  # as the page says, of 8 pictures
