"""What two programs drew from the same noise, compared: numbers, a sheet of pictures, a page, and a sentence for the README."""

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from nodes.wires.pictures import to_bytes

SHARE = 0.995
"""Of the pixels of every picture, this share is within one level of 255 of the reference's."""
SIDE = 128
KEPT = Path(__file__).with_name("report.json")
"""The last report with published weights; none where there was no such run."""
BLOCK = re.compile("(<!-- real -->\n).*?(\n<!-- /real -->)", re.DOTALL)
"""Where a page says what was found."""
NOT_YET = (
    "Numerics are proved on small reference weights; the published weights were not yet run by us "
    "(`make real` does it)."
)


@dataclass(frozen=True)
class Compared:
    """A program beside its reference. Shares of pixels, levels of 255, seconds a picture after the first, bytes."""

    name: str
    reference: str
    prompts: tuple[str, ...]
    within_a_level: tuple[float, ...]
    farthest: tuple[float, ...]
    seconds: float
    reference_seconds: float
    memory: int
    reference_memory: int
    digests: Mapping[str, str]

    @property
    def right(self) -> bool:
        """Whether every picture is the reference's, as far as single precision tells."""
        return min(self.within_a_level) >= SHARE


def compared(
    name: str, prompts: Sequence[str], folder: Path, digests: Mapping[str, str]
) -> Compared:
    """What lies in `folder/ours` beside what lies in `folder/reference`."""
    shares, farthest = [], []
    for number in range(len(prompts)):
        ours, theirs = (_levels(folder / side, number) for side in ("ours", "reference"))
        off = (ours - theirs).abs()
        shares.append(float((off <= 1).float().mean()))
        farthest.append(float(off.max()))
    mine, other = (_cost(folder / side) for side in ("ours", "reference"))
    times = tuple(statistics.median(c["seconds"][1:] or c["seconds"]) for c in (mine, other))
    memory = mine["memory"], other["memory"]
    return Compared(
        name,
        other["program"],
        tuple(prompts),
        tuple(shares),
        tuple(farthest),
        *times,
        *memory,
        digests,
    )


def _levels(folder: Path, number: int) -> Tensor:
    """A picture in levels of 0 … 255, not rounded."""
    return (load_file(folder / f"{number}.safetensors")["image"].clamp(-1, 1) + 1) * 127.5


def _cost(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "cost.json").read_text(encoding="utf-8"))


def sheet(folder: Path, count: int) -> Image.Image:
    """A column for each prompt: ours, the reference's, and ten times their difference on grey."""
    page = Image.new("RGB", (count * (SIDE + 4), 3 * (SIDE + 4)), "white")
    for number in range(count):
        ours, theirs = (
            _levels(folder / side, number) / 127.5 - 1 for side in ("ours", "reference")
        )
        for row, picture in enumerate((ours, theirs, (10 * (ours - theirs)).clamp(-1, 1))):
            tile = Image.fromarray(to_bytes(picture)[0]).resize((SIDE, SIDE), Image.Resampling.BOX)
            page.paste(tile, (number * (SIDE + 4), row * (SIDE + 4)))
    return page


def device_name(device: str) -> str:
    """What computed, in words."""
    return torch.cuda.get_device_name() if device.startswith("cuda") else "the CPU"


def write(found: Sequence[Compared], out: Path, device: str, day: str, tiny: bool) -> Path:
    """`report.json` and `report.md`; gives the former."""
    record = {
        "device": device,
        "day": day,
        "tiny": tiny,
        "programs": [asdict(one) for one in found],
    }
    path = out / "report.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "report.md").write_text(page(found, device, day, tiny), encoding="utf-8")
    return path


def page(found: Sequence[Compared], device: str, day: str, tiny: bool) -> str:
    """The report for people."""
    weights = "tiny weights drawn at random: a rehearsal" if tiny else "the published weights"
    lines = [
        "# Beside the reference programs",
        "",
        f"{day}, {device}, float32, {weights}, the same noise.",
    ]
    for one in found:
        mib = one.memory / 2**20, one.reference_memory / 2**20
        lines += ["", f"## {one.name} beside {one.reference}", ""]
        lines += ["| prompt | within a level of 255 | farthest, levels |", "|---|--:|--:|"]
        rows = zip(one.prompts, one.within_a_level, one.farthest, strict=True)
        lines += [f"| {prompt} | {share:.3%} | {far:.2f} |" for prompt, share, far in rows]
        lines += [
            "",
            f"{one.seconds:.2f} s a picture ({one.reference} {one.reference_seconds:.2f} s), "
            f"{mib[0]:,.0f} MiB ({mib[1]:,.0f} MiB).",
            "",
            f"![ours, the reference's, ten times the difference]({one.name}/sheet.png)",
            "",
            *(f"* `{name}`: sha256 {digest}" for name, digest in one.digests.items()),
        ]
    return "\n".join([*lines, ""])


def sentence(record: Mapping[str, Any] | None) -> str:
    """What the README says of published weights: of a report, or that there is none. A rehearsal is none."""
    if record is None or record["tiny"]:
        return NOT_YET
    parts = [
        f"{one['name']} beside {one['reference']}, {len(one['prompts'])} prompts from the same noise, at least "
        f"{min(one['within_a_level']):.2%} of the pixels of every picture within one level of 255, {one['seconds']:.1f} s "
        f"a picture (the reference {one['reference_seconds']:.1f} s), {one['memory'] / 2**30:.1f} GiB"
        for one in record["programs"]
    ]
    where = f"on {record['device']} in float32, {record['day']}"
    return f"The published weights were run by us ({where}): {'; '.join(parts)}."


def kept() -> dict[str, Any] | None:
    """The last report with published weights, if there is one."""
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else None


def told(page: str, record: Mapping[str, Any] | None) -> str:
    """A page with the sentence of a report."""
    return BLOCK.sub(lambda found: found[1] + sentence(record) + found[2], page)
