"""Codes of diagnostics: an enum whose members are their texts; the engine names no code as a bare text."""

import ast
import json
import pickle
import re
from dataclasses import asdict
from pathlib import Path

import pytest

import nodegraph
from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import diagnostic
from nodegraph.language.literals import BadLiteral

FOLDER = Path(nodegraph.__file__).parent
FILES = [p for p in sorted(FOLDER.rglob("*.py")) if p.name != "codes.py"]


def test_a_code_is_its_text_wherever_it_goes() -> None:
    fault = diagnostic(Code.UNKNOWN_PORT, "no")
    assert (fault.code, fault.name, str(fault)) == ("E201", "unknown-port", "E201 unknown-port: no")
    assert json.loads(json.dumps(asdict(fault)))["code"] == "E201"
    assert pickle.loads(pickle.dumps(fault)) == fault
    assert BadLiteral("E208", "no").code is Code.BAD_LITERAL  # type: ignore[arg-type]


def test_codes_are_stable_in_form() -> None:
    assert all(re.fullmatch(r"[EW]\d{3}", code) and code.meaning.endswith(".") for code in Code)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code.word) for code in Code)


def test_what_is_no_code_is_refused() -> None:
    with pytest.raises(ValueError, match="E999"):
        diagnostic("E999", "no")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        _ = Code.NO_SUCH_CODE  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_code_is_written_as_a_text(path: Path) -> None:
    values = (
        n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)
    )
    assert not [v for v in values if isinstance(v, str) and re.fullmatch(r"[EW]\d{3}", v)]
