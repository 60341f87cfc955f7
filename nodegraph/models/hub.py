"""Files of the Hugging Face Hub, by its own client: it knows where they lie, and takes a broken transfer up again.

A repository's list of files names its commit, and the digests of large files: a file is fetched at that commit, and is what the
list says. `hf://owner/repository@commit/path` is of one commit for good.
"""

import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from nodegraph.base.paths import real_path
from nodegraph.models.catalogue import HUB
from nodegraph.models.download import DownloadError, Progress

_NAME = re.compile(r"[\w.-]+")
_COMMIT = re.compile("[0-9a-f]{40}")
MAIN = "main"
SECONDS = 0.5
"""After how long it is told again how much has arrived."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of the Hub. `revision`: a commit, branch or tag; `sha256`, and `size` in bytes, as its list says."""

    repository: str
    path: str
    revision: str = MAIN
    sha256: str | None = None
    size: int | None = None

    @property
    def url(self) -> str:
        """Its address, with the revision."""
        return f"{HUB}{self.repository}@{self.revision}/{self.path}"

    @property
    def fixed(self) -> bool:
        """Whether it is of one commit, and so for good."""
        return _COMMIT.fullmatch(self.revision) is not None


def hub_file(url: str) -> HubFile:
    """The file of an address. Raises DownloadError for one that has no owner, repository and path."""
    parts = url.removeprefix(HUB).split("/", 2)
    path = parts[-1].split("/")
    repository, at, revision = (parts[1] if len(parts) == 3 else "").partition("@")
    named = all(_NAME.fullmatch(part) for part in (parts[0], repository, revision or MAIN))
    if (
        not named
        or (at and not revision)
        or {"", ".", ".."} & {*parts, *path, revision or MAIN}
        or "\0" in url
    ):
        raise DownloadError(
            f"'{url}' is no file of the Hub: {HUB}OWNER/REPOSITORY/PATH, or …/REPOSITORY@COMMIT/PATH"
        )
    return HubFile(f"{parts[0]}/{repository}", parts[2], revision or MAIN)


def listed(file: HubFile) -> HubFile:
    """The file as the list of its repository has it: at a commit, with size and digest; as it is where there is no list.

    Importing the client takes half a second, and only a download needs it.
    """
    import huggingface_hub

    api: Any = huggingface_hub.HfApi()
    try:
        found = api.model_info(file.repository, revision=file.revision, files_metadata=True)
        one = next(s for s in found.siblings or () if s.rfilename == file.path)
    except Exception:  # also a mirror that has files and no lists: the download tells what is wrong
        return file
    digest = one.lfs.sha256 if one.lfs else None
    commit = found.sha if _COMMIT.fullmatch(str(found.sha)) else file.revision
    return HubFile(file.repository, file.path, commit, digest, one.size)


def fetch_from_hub(file: HubFile, partial: Path, progress: Progress) -> None:
    """Bring a file to `partial`. Raises DownloadError."""
    import huggingface_hub
    from huggingface_hub.utils import disable_progress_bars

    client: Any = huggingface_hub

    disable_progress_bars()
    room = partial.with_name(partial.name + ".hub")
    try:
        with told_meanwhile(room, file.size, progress):
            found = client.hf_hub_download(
                file.repository, file.path, revision=file.revision, local_dir=room
            )
    except Exception as error:  # those of its clients of HTTP too
        raise DownloadError(f"the Hub does not give {file.url}: {_first_line(error)}") from None
    if not real_path(found).is_relative_to(real_path(room)):
        raise DownloadError(f"the Hub's client puts {file.url} elsewhere: {found}")
    Path(found).replace(partial)
    shutil.rmtree(room)
    size = partial.stat().st_size
    progress(size, size)


@contextmanager
def told_meanwhile(room: Path, size: int | None, progress: Progress) -> Generator[None]:
    """Tell again and again how many bytes lie in a folder, of how many: the client says nothing itself."""
    ended = Event()

    def tell() -> None:
        while not ended.wait(SECONDS):
            progress(_arrived(room), size)

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _arrived(room: Path) -> int:
    """Bytes of the files in a folder, some of which may go meanwhile."""
    total = 0
    for path in room.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
