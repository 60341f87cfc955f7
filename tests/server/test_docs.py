"""The session of curl and the client of docs/server.md, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import TOKEN

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "server.md").read_text("utf-8")
TUTORIAL = (ROOT / "docs" / "tutorials" / "serving.md").read_text("utf-8")


def test_what_the_docs_say_is_so(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nodegraph", "serve", str(folder), "--port", "0"]
    command += ["--workers", "cpu", "--state", str(tmp_path / "state"), "--token", TOKEN]
    environment = {**os.environ, "NODEGRAPH_CACHE": str(tmp_path / "cache")}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    try:
        line = next(line for line in server.stderr if "open once" in line)
        address = line.partition("open once: ")[2].partition("/enter")[0]
        asking = {
            **environment,
            "API": f"{address}/api/v1",
            "KEY": f"authorization: Bearer {TOKEN}",
        }
        script = "set -eux\n" + "\n".join(
            re.findall(r"```bash\n(.*?)```", TEXT + TUTORIAL, re.DOTALL)
        )
        told = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=asking, capture_output=True, text=True
        )
        assert told.returncode == 0, told.stdout[-2000:] + told.stderr
        assert "event: node.step" in told.stdout and '"state":"done"' in told.stdout
        (client,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
        asked = subprocess.run(
            [sys.executable, "-c", client], cwd=tmp_path, env=asking, capture_output=True, text=True
        )
        assert asked.returncode == 0, asked.stderr
        assert asked.stdout.strip() == "8 jobs"
    finally:
        server.terminate()
        server.wait(60)
        server.stderr.close()
    for name in ("circle", "edited", "inpainted", "ring", "rings", "sheet", "square"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name


@pytest.mark.parametrize(
    "name",
    [
        "--port",
        "--state",
        "--resume",
        "--workers",
        "--socket",
        "--vram-limit",
        "--allow-host",
        "--root-path",
    ],
)
def test_options_that_the_docs_name_are_there(name: str) -> None:
    import inspect

    from server.command import serve

    options = {f"--{n.replace('_', '-')}" for n in inspect.signature(serve).parameters}
    assert name in options
