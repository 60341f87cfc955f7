"""The tutorials, from top to bottom as a reader would go: their files are written, their commands and scripts run."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from told import DOCS, told

FOLDER = DOCS / "tutorials"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "serving")
"""tests/server/test_docs.py reads that one."""
BLOCK = re.compile(r'```(\w+)(?: title="([\w./]+)")?\n(.*?)```', re.DOTALL)


def test_there_are_some() -> None:
    assert PAGES == ["first_graph", "first_node", "inpainting", "karlo", "sweep"]


@pytest.mark.parametrize("page", PAGES)
def test_what_it_says_is_so(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("docs", "tests"):
        (tmp_path / name).symlink_to(DOCS.parent / name)
    blocks = BLOCK.findall((FOLDER / f"{page}.md").read_text("utf-8"))
    space: dict[str, Any] = {}
    for (kind, title, text), (after, named, said) in zip(
        blocks, [*blocks[1:], ("", "", "")], strict=True
    ):
        if title:
            file = tmp_path / title
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
        elif kind == "sh":
            check(text, said if after == "text" and not named else "")
        elif kind == "python":
            gradients = torch.is_grad_enabled()
            try:
                exec(compile(text, page, "exec"), space)
            finally:
                torch.set_grad_enabled(gradients)


def check(block: str, said: str) -> None:
    """Every command succeeds, but for one whose faults stand below it; what stands there it says, line by line."""
    for command in block.splitlines():
        done = told(command)
        faulty = bool(re.search(r"\bE\d{3}\b", said))
        assert (done.exit_code != 0) == faulty, f"{command}\n{done.output}"
        for line in said.splitlines():
            assert line in done.output, f"{command}\n{done.output}"
