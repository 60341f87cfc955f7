"""Files of the Hub by its own client, from a server that speaks as it does."""

import hashlib
from pathlib import Path

import pytest
from file_server import hub

from nodegraph.models.download import DownloadError
from nodegraph.models.hub import fetch_from_hub


def test_a_file_of_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content, told = bytes(range(256)) * 50, []
    with hub({"owner/tiny/decoder/model.bin": content}) as address:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        partial = tmp_path / "model.bin.part"
        digest = fetch_from_hub(
            "hf://owner/tiny/decoder/model.bin", partial, lambda done, total: told.append(done)
        )
        assert partial.read_bytes() == content
        assert digest == hashlib.sha256(content).hexdigest()
        assert told[-1] == len(content)
        assert [path.name for path in tmp_path.iterdir()] == ["model.bin.part"]
        with pytest.raises(DownloadError, match="the Hub does not give"):
            fetch_from_hub("hf://owner/tiny/no.bin", partial, lambda done, total: None)
