"""The file that the editor's own reader is held against says what the engine does today."""

import json

import pytest
from agreement import KEPT, answers, written


def test_the_engine_still_says_what_the_editor_is_held_against() -> None:
    if not KEPT.exists():
        pytest.skip("the editor's sources are not here")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    boxes = [{key: value for key, value in row.items() if key != "places"} for row in kept["boxes"]]
    now = json.loads(written(answers([row[0] for row in kept["texts"]], boxes)))
    assert now == kept, "run tests/support/agreement.py, and see whether the editor follows"
