"""Which device a run is on. Torch, which takes seconds to import, is asked once for each state of the machine."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from nodegraph.base.partial import write_text
from nodegraph.base.paths import cache_folder, read_json

CARDS = ("nvidia[0-9]*", "kfd", "dxg")
"""What drivers of cards put into /dev: NVIDIA's, AMD's, and Windows' for Linux."""
DRIVERS = (
    "/proc/driver/nvidia/version",
    "/sys/module/nvidia/version",
    "/sys/module/amdgpu/version",
)
SETTINGS = ("CUDA", "GPU_", "HIP", "HSA_", "NVIDIA", "PYTORCH", "ROC")
"""How variables begin that decide which cards torch sees."""


CPUINFO = Path("/proc/cpuinfo")
ARITHMETIC = {
    "bfloat16": {"amx_bf16", "avx512_bf16", "bf16"},
    "float16": {"amx_fp16", "avx512_fp16", "asimdhp"},
}
"""What processors of x86 and Arm call the instructions that compute in half precision."""

EVERY = "every"
ASK = "from nodegraph.base.tensors import every_device; print(','.join(every_device()))"


def may_have_card(dev: Path = Path("/dev")) -> bool:
    """Whether torch is worth asking: no on a Linux without a driver of a card, yes wherever that cannot be known."""
    if sys.platform != "linux":
        return True
    return any(next(dev.glob(name), None) is not None for name in CARDS)


def device_for(wanted: str, ask: bool = False) -> str:
    """The device that is meant by `auto`, `cuda`, …; what torch said of it last is believed unless torch is imported, or to be
    asked: `ask` it before anything is computed. Raises ValueError for one that is not there."""
    if wanted == "cpu" or (wanted == "auto" and not may_have_card()):
        return "cpu"
    state = machine_state()
    answers = _answers(state)
    if not ask and "torch" not in sys.modules and wanted in answers:
        return answers[wanted]
    from nodegraph.base.tensors import choose_device

    found = choose_device(wanted)
    if answers.get(wanted) != found:
        _keep(state, {**answers, wanted: found})
    return found


def every_device() -> tuple[str, ...]:
    """All cards (`cuda:0`, `cuda:1`), else `mps`, else `cpu`. Torch is asked in a process beside, once for each state of the
    machine: this one does not import it. Raises ValueError where it cannot be asked."""
    if not may_have_card():
        return ("cpu",)
    state = machine_state()
    answers = _answers(state)
    if EVERY not in answers:
        child = subprocess.run(
            [sys.executable, "-P", "-c", ASK], capture_output=True, text=True, check=False
        )
        if child.returncode:
            last = (child.stderr.strip().splitlines() or ["it ended"])[-1]
            raise ValueError(f"torch cannot say which devices there are: {last}")
        answers = {**answers, EVERY: child.stdout.strip()}
        _keep(state, answers)
    return tuple(answers[EVERY].split(","))


def computes_in(precision: str) -> bool:
    """Whether the CPU has instructions for a precision; yes wherever that cannot be known."""
    if precision not in ARITHMETIC:
        return True
    lines = (line.partition(":") for line in _text(CPUINFO).splitlines())
    flags = [
        set(found.split()) for name, _, found in lines if name.strip() in ("flags", "Features")
    ]
    return not flags or not ARITHMETIC[precision].isdisjoint(flags[0])


def keep_compiled() -> None:
    """Let torch keep what it compiles in the folder of the cache, where no other is asked for."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder().absolute() / "inductor"))


def _keep(state: str, answers: Mapping[str, str]) -> None:
    with suppress(OSError):
        write_text(_file(), json.dumps({state: answers}))


def machine_state(dev: Path = Path("/dev")) -> str:
    """By what one sees, without torch, that it may answer otherwise: torch itself, the system, drivers, cards, settings."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    cards = sorted(str(path) for name in CARDS for path in dev.glob(name))
    drivers = [_text(Path(path)) for path in DRIVERS]
    settings = sorted(item for item in os.environ.items() if item[0].startswith(SETTINGS))
    facts = (sys.executable, torch, platform.platform(), cards, drivers, settings)
    return blake2b(repr(facts).encode(), digest_size=12).hexdigest()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _file() -> Path:
    return cache_folder() / "devices.json"


def _answers(state: str) -> dict[str, str]:
    """What torch said in this state of the machine, by what it was asked for."""
    try:
        found: Any = read_json(_file()).get(state)
    except (OSError, ValueError):
        return {}
    known = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return {name: answer for name, answer in known.items() if isinstance(answer, str)}


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device has too little memory; the CPU's allocator says it in words alone."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
