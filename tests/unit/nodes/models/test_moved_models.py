"""A session that outlives what it has seen: models that move between two checks are looked for where they are named."""

import shutil
from pathlib import Path

from nodegraph.language.source import SourceText
from nodegraph.options import Options
from nodegraph.session import Job, Session
from nodes.checkpoints.catalogue import shipped_folder

TEXT = """graph: 1
nodes:
  text: {type: text_encoder, model: NAME, text: a red circle}
  network: {type: unet_denoiser, model: NAME, conditions: $text}
  schedule: {type: noise_scheduler, model: NAME, steps: 2}
  image: {type: ddim_sampler, denoiser: $network, schedule: $schedule, seed: 1}
outputs: {image: $image}
"""


def test_a_model_that_has_moved_since_the_last_check_is_read_where_it_lies(tmp_path: Path) -> None:
    shipped = shipped_folder("shapes/glide/base")
    assert shipped is not None
    shutil.copytree(shipped, tmp_path / "first")
    session, job = Session(), Job(options=Options(out=tmp_path / "out", cached=False))
    for name in ("first", "second"):
        if name == "second":
            (tmp_path / "first").rename(tmp_path / "second")
        opened = session.open(SourceText("g.yaml", TEXT.replace("NAME", name), tmp_path))
        assert session.check(opened, job).diagnostics == ()
        session.prepare(opened, job)
