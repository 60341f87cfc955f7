"""Files of the Hugging Face Hub, by its own client: it knows where they lie, and takes a broken transfer up again."""

import shutil
from pathlib import Path
from typing import Any

from nodegraph.download import DownloadError, Progress, sha256_of
from nodegraph.models import HUB


def fetch_from_hub(url: str, partial: Path, progress: Progress) -> str:
    """Bring `hf://owner/repository/path` to `partial` and return its sha256. Raises DownloadError.

    Importing the client takes half a second, and only a download needs it.
    """
    import huggingface_hub
    from huggingface_hub.utils import disable_progress_bars

    client: Any = huggingface_hub

    owner, repository, path = url.removeprefix(HUB).split("/", 2)
    disable_progress_bars()
    room = partial.with_name(partial.name + ".hub")
    try:
        found = client.hf_hub_download(f"{owner}/{repository}", path, local_dir=room)
    except (OSError, ValueError) as error:
        raise DownloadError(f"the Hub does not give {url}: {_first_line(error)}") from None
    Path(found).replace(partial)
    shutil.rmtree(room)
    size = partial.stat().st_size
    progress(size, size)
    return sha256_of(partial)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
