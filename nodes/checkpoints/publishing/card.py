"""The card of a bundle: README.md, whose front matter is what the Hugging Face Hub reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from nodegraph.models.catalogue import BUNDLE
from nodes.checkpoints.entries import Entry
from nodes.checkpoints.publishing.differences import OWNERS
from nodes.checkpoints.publishing.pipeline import Pipeline
from nodes.checkpoints.publishing.sources import Source

DIGESTS = "SHA256SUMS"
HUB_LICENCES = frozenset(
    (
        *("apache-2.0", "mit", "openrail", "openrail++", "creativeml-openrail-m", "unlicense"),
        *("bigscience-openrail-m", "bigcode-openrail-m", "bigscience-bloom-rail-1.0", "wtfpl"),
        *("afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause", "zlib"),
        *("cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0"),
        *("cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0"),
        *("cc-by-nc-sa-4.0", "isc", "mpl-2.0", "ms-pl", "epl-1.0", "epl-2.0", "ecl-2.0"),
        *("eupl-1.1", "eupl-1.2", "agpl-3.0", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1"),
        *("lgpl-3.0", "gfdl", "odbl", "odc-by", "pddl", "osl-3.0", "postgresql", "ncsa", "unknown"),
    )
)
"""Names that the Hub has for licences; any other is called `other` there, and named beside it."""


def card(
    entry: Entry,
    text: str,
    sources: Sequence[Source],
    pipeline: Pipeline,
    records: Mapping[str, Any],
) -> str:
    """The text of README.md."""
    front = yaml.safe_dump(_front(entry, sources, pipeline), sort_keys=False, allow_unicode=True)
    sections = (
        text.strip(),
        _models(sources, records),
        _use(entry, sources, pipeline),
        _licence(entry),
    )
    body = "\n\n".join(section for section in sections if section)
    return f"---\n{front}---\n\n# {entry.name}\n\n{body}\n"


def _front(entry: Entry, sources: Sequence[Source], pipeline: Pipeline) -> dict[str, Any]:
    licence = entry.licence.lower()
    named = {} if licence in HUB_LICENCES else {"license_name": "-".join(licence.split())}
    task = _task(sources, pipeline)
    return {
        "license": "other" if named else licence,
        **named,
        "library_name": "diffusers" if pipeline.name else "nodegraph",
        **({"pipeline_tag": task} if task else {}),
        "tags": sorted({"nodegraph", "diffusion", *_families(sources)}),
    }


def _task(sources: Sequence[Source], pipeline: Pipeline) -> str:
    """What the Hub calls what the bundle does."""
    reads = any(getattr(source.model.config, "text", None) for source in sources)
    if pipeline.name == "UnCLIPImageVariationPipeline":
        return "image-to-image"
    return "text-to-image" if reads else ""


def _families(sources: Iterable[Source]) -> Iterable[str]:
    for source in sources:
        config = source.model.config
        if source.kind in ("Prior", "ArPrior", "Clip") or getattr(config, "clip", None):
            yield "unclip"
        elif source.kind == "NoisedClip" or getattr(config, "text", None):
            yield "glide"
        elif source.kind == "Classifier" or getattr(config, "classes", None):
            yield "guided-diffusion"


def _models(sources: Sequence[Source], records: Mapping[str, Any]) -> str:
    rows = [
        f"| `{s.name}` | {s.kind} | {layout_of(s)} | {_parameters(records[s.name]):,} |"
        for s in sources
    ]
    cards = [f"* `{source.name}`: {source.card}" for source in sources if source.card]
    why = [f"* `{s.name}` is in nodegraph's own layout; {s.why}." for s in sources if s.why]
    table = ["| part | kind | layout | parameters |", "|---|---|---|--:|", *rows]
    lists = [["", *lines] for lines in (cards, why) if lines]
    return "\n".join(["## Models", "", *table, *(line for lines in lists for line in lines)])


def layout_of(source: Source) -> str:
    """Whose layout a part is in."""
    return OWNERS[source.layout.partition("_")[0]]


def _parameters(record: Mapping[str, Any]) -> int:
    return sum(int(file["parameters"]) for file in record["files"])


def _use(entry: Entry, sources: Sequence[Source], pipeline: Pipeline) -> str:
    parts = [_with_nodegraph(entry)]
    if pipeline.name:
        parts.append(_with_diffusers(pipeline.name))
    glide = next((source for source in sources if source.layout == "openai_glide"), None)
    if glide is not None:
        parts.append(_with_openai(entry, glide))
    return "## Use\n\n" + "\n\n".join(parts)


def _with_nodegraph(entry: Entry) -> str:
    return f"""`nodegraph models get ADDRESS_OF_THIS_FOLDER` fetches the models, and compares them with the digests in
`{BUNDLE}` (`{DIGESTS}` has those of every file); graphs then name the bundle `{entry.name}`, or the folder itself."""


def _with_diffusers(name: str) -> str:
    return f"""```python
from diffusers import {name}

pipeline = {name}.from_pretrained(FOLDER)
```"""


def _with_openai(entry: Entry, source: Source) -> str:
    return f"""```python
import json, torch
from glide_text2im.model_creation import create_model_and_diffusion

options = json.load(open("{BUNDLE}"))["{entry.name}"]["parts"]["{source.name}"]["options"]
model, diffusion = create_model_and_diffusion(**options)
model.load_state_dict(torch.load("{source.name}/{source.model.files[0].name if source.kept else source.name + ".pt"}"))
```"""


def _licence(entry: Entry) -> str:
    return f"## Licence\n\n{entry.licence}" + (f"\n\n{entry.terms}" if entry.terms else "")
