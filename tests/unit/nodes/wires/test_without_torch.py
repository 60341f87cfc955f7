"""What is done without torch is what is done with it: identities of models, pictures as arrays, descriptions."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.base.paths import Sandbox
from nodegraph.language.program import EXAMPLE, Constant, Many
from nodegraph.library.registry import Arrays
from nodegraph.runtime.context import RunContext
from nodegraph.session import Job, Session, registry
from nodes.wires.arrays import to_bytes

LEVELS = st.floats(-1.5, 1.5, width=32) | st.sampled_from([float("nan"), float("inf"), -1.0, 1.0])


def tensors(count: int) -> st.SearchStrategy[torch.Tensor]:
    values = st.lists(LEVELS, min_size=2 * count * 4, max_size=2 * count * 4)
    return values.map(lambda v: torch.tensor(v).view(2, count, 2, 2))


def by_torch(image: torch.Tensor) -> np.ndarray:
    """uint8 [B, H, W, 3] by torch's arithmetic."""
    levels = image.add(1).mul(127.5).round().clamp(0, 255)
    broken = ~image.isfinite().all(1, keepdim=True)
    magenta = torch.tensor([255.0, 0.0, 255.0]).view(1, 3, 1, 1)
    return levels.where(~broken, magenta).byte().permute(0, 2, 3, 1).numpy()


@given(tensors(3))
def test_levels_are_those_of_torch(image: torch.Tensor) -> None:
    assert (to_bytes(image) == by_torch(image)).all()
    assert (to_bytes(image.numpy()) == by_torch(image)).all()


@pytest.mark.parametrize("name, channels", [("Image", 3), ("Mask", 1)])
def test_what_is_kept_is_told_and_written_as_tensors_are(
    name: str, channels: int, tmp_path: Path
) -> None:
    value = torch.rand(2, channels, 5, 4, generator=torch.Generator().manual_seed(3))
    port, arrays = registry().port_type(name), Arrays(registry()).port_type(name)
    assert port is not None and arrays is not None and port is not arrays
    assert port.dump and port.describe and port.write and arrays.load and arrays.write
    port.dump(value, tmp_path)
    kept = arrays.load(tmp_path)
    assert arrays.describe is not None and arrays.describe(kept) == port.describe(value)
    for port_type, given_, folder in (
        (port, value, "a"),
        (arrays, kept, "b"),
        (arrays, value, "c"),
    ):
        (tmp_path / folder).mkdir()
        assert port_type.write is not None
        port_type.write(given_, tmp_path / folder, "x", {"nodegraph": "made so"})
    written = [sorted((tmp_path / folder).iterdir()) for folder in "abc"]
    contents = [[path.read_bytes() for path in paths] for paths in written]
    assert contents[0] == contents[1] == contents[2] and len(contents[0]) == 2


def model_literals() -> set[tuple[str, str]]:
    """The models that the shipped graphs name, with the types of their ports."""
    session, found = Session(), set[tuple[str, str]]()
    for name in session.registry.listed:
        program = session.compiled(session.open(name), Job(), whole=False).program
        assert program is not None
        for source in (s for step in program.steps for s in step.inputs.values()):
            for one in source.entries if isinstance(source, Many) else [source]:
                if isinstance(one, Constant) and one.value is not EXAMPLE:
                    facts = session.registry.facts(one.type.name)
                    if facts is not None and facts.literal == "name":
                        found.add((one.type.name, str(one.value)))
    return found


def test_models_are_identified_as_their_handles_are(tmp_path: Path) -> None:
    context: Any = RunContext(Sandbox((), tmp_path))
    named = model_literals()
    assert len(named) > 10 and {"UNet", "Prior", "Clip", "NoisedClip"} <= {
        kind for kind, _ in named
    }
    named |= {("UNet", "openai/glide/base"), ("Clip", "open_clip:ViT-L-14/openai")}
    for kind, literal in named:
        facts, port = registry().facts(kind), registry().port_type(kind)
        assert facts is not None and port is not None and port.parse and port.digest
        identify = facts.identifier()
        assert identify is not None
        assert identify(kind, literal, context) == port.digest(port.parse(literal, context))


def test_every_type_that_reads_files_or_models_tells_them_apart_without_torch() -> None:
    """And so do the functions that brings kept pictures to paper."""
    facts = registry().ports.values()
    homes = {h for f in facts for h in (f.identify, f.arrays, f.read, f.parts) if h is not None}
    reads = [f for f in facts if f.parsed and f.digests]
    assert reads and all(f.identify for f in reads)
    modules = sorted({home.partition(":")[0] for home in homes})
    code = f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
