"""Karlo and GLIDE beside the programs that they come from: the same prompts, weights and noise, in float32.

`python benchmarks/real/run.py [--device auto] [--out out/real] [--only karlo|glide]` needs the published weights (`nodegraph
models get`), diffusers, and glide-text2im where `--references` says. `--tiny FOLDER` rehearses with a tiny Karlo as diffusers
keeps it, and a tiny GLIDE drawn at random where its program is there. Writes report.json, report.md and sheets of pictures.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import report
import torch

from nodegraph.base.contents import sha256_of
from nodegraph.base.devices import device_for
from nodegraph.models.catalogue import HUB, ModelFile, noted_origins
from nodegraph.models.hub import hub_file
from nodes.checkpoints.catalogue import entries
from nodes.checkpoints.entries import Part, PublishedFile, model_files
from nodes.checkpoints.layouts import published_shapes

HERE = Path(__file__).parent
KARLO, GLIDE = "kakaobrain/karlo-v1-alpha", "openai/glide"
NETWORKS = ("base", "upsample")
SMALL: Mapping[str, Any] = {
    "num_channels": 32, "num_res_blocks": 1, "num_heads": 1, "num_head_channels": 16,
    "attention_resolutions": "8", "text_ctx": 16, "xf_width": 16, "xf_layers": 1, "xf_heads": 2,
}  # fmt: skip
"""Options of a GLIDE for rehearsals, over those of the published one."""
SIZES: Mapping[str, Mapping[str, Any]] = {
    "base": {"image_size": 16, "channel_mult": "1,2"},
    "upsample": {"image_size": 32, "channel_mult": "1,1,2"},
}
STEPS: Mapping[str, Mapping[str, Any]] = {
    "karlo": {"prior": 25, "decoder": 25, "upsample": 7},
    "glide": {"base": 100, "upsample": "fast27"},
}
FEW: Mapping[str, Mapping[str, Any]] = {
    "karlo": {"prior": 5, "decoder": 4, "upsample": 7},
    "glide": {"base": 6, "upsample": "fast27"},
}


@dataclass(frozen=True)
class Program:
    """A reference program and the shipped graph that does the same; what both are told, and the files of the weights."""

    name: str
    graph: str
    told: Mapping[str, Any]
    inputs: Mapping[str, Any]
    noise: Mapping[str, str]
    """Where the graph takes the noise of a stage of the program."""
    files: Mapping[str, Path]
    readable: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def kept(bundle: str, parts: Sequence[str]) -> dict[ModelFile, Path]:
    """The files of a bundle that are here. Ends the program where one is missing."""
    known = entries()[bundle].parts
    files = [file for part in parts for file in model_files(f"{bundle}/{part}", known[part])]
    missing = sorted({file.model for file in files if file.kept is None})
    if missing:
        sys.exit(
            "\n".join(
                ["these weights are not here:", *(f"  nodegraph models get {n}" for n in missing)]
            )
        )
    return {file: file.kept for file in files if file.kept is not None}


def karlo_folder(files: Mapping[ModelFile, Path], folder: Path) -> Path:
    """A folder as diffusers reads it: configurations from the Hub, at the commit of the weights, and links to these."""
    from huggingface_hub import HfApi, hf_hub_download

    origins = [hub_file(o) for o in noted_origins(KARLO) if o.startswith(HUB)]
    commit = next((file.revision for file in origins if file.fixed), None)
    found = HfApi().model_info(KARLO, revision=commit)
    for name in (sibling.rfilename for sibling in found.siblings or ()):
        if name.endswith((".json", ".txt")):
            hf_hub_download(KARLO, name, revision=found.sha, local_dir=folder)
    for file, path in files.items():
        place = folder / hub_file(file.url).path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(path.resolve())
    return folder


def karlo(out: Path, tiny: Path | None) -> Program:
    """Karlo: diffusers' pipeline and `unclip/karlo`."""
    steps = (FEW if tiny else STEPS)["karlo"]
    if tiny is None:
        files = kept(KARLO, list(entries()[KARLO].parts))
        folder, models = karlo_folder(files, out / "karlo-folder"), KARLO
        weights = {f"{file.model}/{file.name}": path for file, path in files.items()}
    else:
        folder, models = tiny.resolve(), str(tiny.resolve())
        weights = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*.safetensors"))}
    inputs = {"models": models, **{f"{stage}_steps": n for stage, n in steps.items()}}
    noise = {f"{stage}_noise": stage for stage in steps}
    told = {"folder": str(folder), "steps": steps}
    return Program("karlo", "unclip/karlo", told, inputs, noise, weights, (str(folder),))


def glide(out: Path, tiny: Path | None) -> Program:
    """GLIDE: glide-text2im's networks and `glide/text_to_image`."""
    steps = (FEW if tiny else STEPS)["glide"]
    inputs = {"models": GLIDE, "guidance": 3.0, "steps": steps["base"]}
    told: dict[str, Any] = {"steps": steps, "guidance": 3.0, "temperature": 0.997}
    environment: dict[str, str] = {}
    if tiny is None:
        files = {file.model: path for file, path in kept(GLIDE, NETWORKS).items()}
    else:
        told["options"] = {part: {**SMALL, **SIZES[part]} for part in NETWORKS}
        files = tiny_glide(out / "models")
        environment["NODEGRAPH_MODELS"] = str(out / "models")
    told["files"] = {part: str(files[f"{GLIDE}/{part}"]) for part in NETWORKS}
    noise = {"small.noise": "base", "large.noise": "upsample"}
    return Program("glide", "glide/text_to_image", told, inputs, noise, files, (), environment)


def tiny_glide(models: Path) -> dict[str, Path]:
    """A small GLIDE with random weights in place of the published one, in a folder of models of its own."""
    parts: dict[str, Any] = {}
    files: dict[str, Path] = {}
    generator = torch.Generator().manual_seed(0)
    published = entries()[GLIDE].parts
    for name in NETWORKS:
        options = {**(published[name].options or {}), **SMALL, **SIZES[name]}
        part = Part(
            "UNet", "openai_glide", options, (PublishedFile(f"https://127.0.0.1/{name}.pt", 1),)
        )
        (shapes,) = published_shapes(part)
        path = models / GLIDE / name / f"{name}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {k: 0.1 * torch.randn(tuple(s), generator=generator) for k, s in shapes.items()}
        torch.save(weights, path)
        files[f"{GLIDE}/{name}"] = path
        record = [{"url": part.files[0].url, "parameters": 1}]
        parts[name] = {"kind": "UNet", "layout": part.layout, "options": options, "files": record}
    about = {"licence": "none", "source": "rehearsal", "card": "Random weights.", "parts": parts}
    (models / "catalogue.json").write_text(json.dumps({GLIDE: about}), encoding="utf-8")
    return files


def drawn(
    program: Program, prompts: Sequence[str], device: str, out: Path, references: str
) -> report.Compared:
    """Both programs draw, each in a process of its own, and what they drew is compared."""
    folder = out / program.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shared = {"prompts": list(prompts), "seed": 0, "device": device}
    theirs = {**shared, **program.told, "program": program.name, "out": str(folder / "reference")}
    ours = {
        **shared,
        "graph": program.graph,
        "inputs": dict(program.inputs),
        "noise": dict(program.noise),
        "noise_from": str((folder / "reference").resolve()),
        "readable": list(program.readable),
        "out": str(folder / "ours"),
    }
    path = os.pathsep.join(filter(None, (references, os.environ.get("PYTHONPATH", ""))))
    for script, job, more in (
        ("references.py", theirs, {"PYTHONPATH": path}),
        ("ours.py", ours, program.environment),
    ):
        said = folder / f"{script}.json"
        said.write_text(json.dumps(job), encoding="utf-8")
        print(f"{program.name}: {script}", flush=True)
        environment = {**os.environ, **more}
        subprocess.run([sys.executable, str(HERE / script), str(said)], check=True, env=environment)
    digests = {name: sha256_of(file) for name, file in program.files.items()}
    report.sheet(folder, len(prompts)).save(folder / "sheet.png")
    return report.compared(program.name, prompts, folder, digests)


def chosen(only: str, tiny: bool, references: str) -> Iterator[str]:
    """The programs to compare; a rehearsal leaves GLIDE out where its reference program is not there, and says so."""
    for name in ("karlo", "glide"):
        if only not in ("", name):
            continue
        here = (
            importlib.util.find_spec("glide_text2im")
            or (Path(references) / "glide_text2im").is_dir()
        )
        if name == "glide" and tiny and not here:
            print("glide: glide-text2im is not here, so it is not rehearsed", flush=True)
            continue
        yield name


def main() -> int:
    """Compare, and write the report; 1 where a picture is another than the reference's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/real"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", choices=["", "karlo", "glide"], default="")
    parser.add_argument(
        "--references", default="", help="where glide-text2im lies, if it is not installed"
    )
    parser.add_argument("--readme", type=Path, help="say in this page what was found")
    parser.add_argument("--tiny", type=Path, help="rehearse with this tiny Karlo")
    given = parser.parse_args()
    out, tiny, device = given.out.resolve(), given.tiny, device_for(given.device)
    out.mkdir(parents=True, exist_ok=True)
    prompts = (HERE / "prompts.txt").read_text(encoding="utf-8").splitlines()
    prompts = prompts[:2] if tiny else prompts
    found: list[report.Compared] = []
    for name in chosen(given.only, tiny is not None, given.references):
        program = {"karlo": karlo, "glide": glide}[name](out, tiny)
        found.append(drawn(program, prompts, device, out, given.references))
    where = report.device_name(device)
    path = report.write(found, out, where, date.today().isoformat(), tiny is not None)
    print(path.with_suffix(".md").read_text(encoding="utf-8"))
    if given.readme is not None and tiny is None:
        shutil.copyfile(path, report.KEPT)
        readme = given.readme.read_text(encoding="utf-8")
        given.readme.write_text(report.told(readme, report.kept()), encoding="utf-8")
    return 0 if all(one.right for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
