"""Files of the Hugging Face Hub, by its own client: it knows where they lie, and takes a broken transfer up again."""

import re
import shutil
from pathlib import Path
from typing import Any

from nodegraph.base.contents import sha256_of
from nodegraph.base.paths import real_path
from nodegraph.models.catalogue import HUB
from nodegraph.models.download import DownloadError, Progress

_NAME = re.compile(r"[\w.-]+")


def fetch_from_hub(url: str, partial: Path, progress: Progress) -> str:
    """Bring `hf://owner/repository/path` to `partial` and return its sha256. Raises DownloadError.

    Importing the client takes half a second, and only a download needs it.
    """
    import huggingface_hub
    from huggingface_hub.utils import disable_progress_bars

    client: Any = huggingface_hub

    owner, repository, path = _parts(url)
    disable_progress_bars()
    room = partial.with_name(partial.name + ".hub")
    try:
        found = client.hf_hub_download(f"{owner}/{repository}", path, local_dir=room)
    except Exception as error:  # those of its clients of HTTP too
        raise DownloadError(f"the Hub does not give {url}: {_first_line(error)}") from None
    if not real_path(found).is_relative_to(real_path(room)):
        raise DownloadError(f"the Hub's client puts {url} elsewhere: {found}")
    Path(found).replace(partial)
    shutil.rmtree(room)
    size = partial.stat().st_size
    progress(size, size)
    return sha256_of(partial)


def _parts(url: str) -> list[str]:
    """Owner, repository and path of a file. Raises DownloadError for an address that has no such parts."""
    parts = url.removeprefix(HUB).split("/", 2)
    path = parts[-1].split("/")
    named = all(_NAME.fullmatch(part) for part in parts[:2])
    if len(parts) < 3 or not named or {"", ".", ".."} & {*parts, *path} or "\0" in url:
        raise DownloadError(f"'{url}' is no file of the Hub: {HUB}OWNER/REPOSITORY/PATH")
    return parts


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
