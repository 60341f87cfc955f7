"""The pages of the server: the editor with its nonce, and what stands there without one."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server import pages


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the built editor."""
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    return tmp_path


def test_each_answer_of_the_editor_has_a_nonce_of_its_own(served: TestClient, static: Path) -> None:
    (static / "index.html").write_text('<meta name="nonce" content="NONCE">')
    found: list[str] = []
    for _ in range(2):
        answer = served.get("/")
        told = re.search(r'content="([\w-]+)"', answer.text)
        assert told and f"'nonce-{told[1]}'" in answer.headers["content-security-policy"]
        found.append(told[1])
    assert found[0] != found[1]


def test_without_an_editor_the_page_says_what_to_do(served: TestClient, static: Path) -> None:
    answer = served.get("/")
    assert answer.status_code == 503 and "pip install --editable ." in answer.text
    told = re.search(r'nonce="([\w-]+)"', answer.text)
    assert told and f"'nonce-{told[1]}'" in answer.headers["content-security-policy"]
