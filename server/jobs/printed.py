"""What nodes print while a job runs, in a file of its own: never in the log of the server."""

from pathlib import Path

from server.files import Files

MOST = 2**18
"""Bytes that are kept of a job."""
CUT = b"\n... the rest of what was printed is not kept\n"


def printed_by(files: Files, id: str) -> Path:
    """The file of a job; there is none where nothing was printed."""
    return files.runs.parent / "printed" / f"{id}.txt"


def keep(path: Path, content: bytes) -> None:
    """Append what was printed, up to a bound."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with path.open("ab") as file:
        left = MOST - file.tell()
        if left > 0:
            file.write(content if len(content) < left else content[:left] + CUT)
