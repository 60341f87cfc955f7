"""Files of the Hub by its own client, from a server that speaks as it does."""

import hashlib
import json
from pathlib import Path
from threading import Event

import pytest
from file_server import Hub, as_the_hub

from nodegraph.models import hub as hub_module
from nodegraph.models import store
from nodegraph.models.catalogue import Listing, ModelFile
from nodegraph.models.download import DownloadError
from nodegraph.models.hub import HubFile, fetch_from_hub, hub_file, listed, told_meanwhile

FIRST, SECOND = "a" * 40, "b" * 40
CONTENT = bytes(range(256)) * 50
FILE = "owner/tiny/decoder/model.bin"


def takes(model: str, path: Path) -> str:
    """A catalogue's check that takes any file."""
    return path.name.removesuffix(".part")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(store, "_checker", lambda _: takes)
    return tmp_path / "models"


def entry(*urls: str, sha256: str | None = None) -> Listing:
    files = tuple(
        ModelFile(f"my/tiny/part{n}", url, 1, False, sha256) for n, url in enumerate(urls)
    )
    return Listing("my/tiny", (), "MIT", 1, (), "test", "Tiny.", files=files)


def get(listing: Listing, number: int) -> dict[str, str]:
    """The note of a file that was fetched."""
    place = store.get(listing, listing.files[number], lambda done, total: None)
    return json.loads(place.with_name(place.name + ".json").read_text(encoding="utf-8"))


def test_a_file_of_the_hub(tmp_path: Path) -> None:
    told: list[int] = []
    with as_the_hub(Hub({"0" * 40: {FILE: CONTENT}})):
        partial = tmp_path / "model.bin.part"
        fetch_from_hub(hub_file(f"hf://{FILE}"), partial, lambda done, total: told.append(done))
        assert partial.read_bytes() == CONTENT
        assert told[-1] == len(CONTENT)
        assert [path.name for path in tmp_path.iterdir()] == ["model.bin.part"]
        with pytest.raises(DownloadError, match="the Hub does not give"):
            fetch_from_hub(hub_file("hf://owner/tiny/no.bin"), partial, lambda done, total: None)


def test_how_much_has_arrived_is_told_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, heard = Event(), list[tuple[int, int | None]]()

    def progress(done: int, total: int | None) -> None:
        heard.append((done, total))
        if done == 6:
            arrived.set()

    monkeypatch.setattr(hub_module, "SECONDS", 0.001)
    with told_meanwhile(tmp_path, 10, progress):
        (tmp_path / "inner").mkdir()
        (tmp_path / "a").write_bytes(b"1234")
        (tmp_path / "inner" / "b").write_bytes(b"56")
        assert arrived.wait(60)
    assert {total for _, total in heard} == {10}


def test_its_list_says_commit_size_and_digest() -> None:
    with as_the_hub(Hub({FIRST: {FILE: CONTENT}}, FIRST)) as hub:
        digest = hashlib.sha256(CONTENT).hexdigest()
        found = listed(hub_file(f"hf://{FILE}"))
        assert found == HubFile("owner/tiny", "decoder/model.bin", FIRST, digest, len(CONTENT))
        assert found.url == f"hf://owner/tiny@{FIRST}/decoder/model.bin"
        assert hub_file(found.url).revision == FIRST
        hub.lists = False
        assert listed(hub_file(f"hf://{FILE}")) == hub_file(f"hf://{FILE}")


def test_a_commit_in_the_address_is_the_one_that_is_fetched(models: Path) -> None:
    with as_the_hub(Hub({FIRST: {FILE: CONTENT}, SECOND: {FILE: b"newer"}}, SECOND)) as hub:
        note = get(entry(f"hf://owner/tiny@{FIRST}/decoder/model.bin"), 0)
        assert note["sha256"] == hashlib.sha256(CONTENT).hexdigest()
        assert {asked.partition(":")[0] for asked in hub.asked} == {FIRST}


def test_the_files_of_a_bundle_are_of_one_commit(models: Path) -> None:
    """The repository goes on between two files; also where the list says so, the second is of the first one's commit."""
    both = {FILE: CONTENT, "owner/tiny/text/model.bin": b"text"}
    tiny = entry(f"hf://{FILE}", "hf://owner/tiny/text/model.bin")
    with as_the_hub(
        Hub({FIRST: both, SECOND: {**both, "owner/tiny/text/model.bin": b"new"}}, FIRST)
    ) as hub:
        assert get(tiny, 0)["origin"] == f"hf://owner/tiny@{FIRST}/decoder/model.bin"
        hub.main = SECOND
        note = get(tiny, 1)
        assert note["origin"] == f"hf://owner/tiny@{FIRST}/text/model.bin"
        assert note["sha256"] == hashlib.sha256(b"text").hexdigest()


def test_what_is_not_what_the_list_says_is_refused(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_the_hub(Hub({FIRST: {FILE: CONTENT}}, FIRST)) as hub:
        true = hub.listed("/api/models/owner/tiny") or b""
        other = hashlib.sha256(b"other").hexdigest().encode()
        told = true.replace(hashlib.sha256(CONTENT).hexdigest().encode(), other)
        monkeypatch.setattr(hub, "listed", lambda _: told)
        with pytest.raises(store.NotKept, match="is not the published file"):
            get(entry(f"hf://{FILE}"), 0)
    assert not list(models.rglob("*.bin"))


def test_the_catalogues_digest_stands_over_the_lists(models: Path) -> None:
    with (
        as_the_hub(Hub({FIRST: {FILE: CONTENT}}, FIRST)),
        pytest.raises(store.NotKept, match="is not the published file"),
    ):
        get(entry(f"hf://{FILE}", sha256="0" * 64), 0)
