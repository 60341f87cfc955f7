"""What evaluations measure: agreement with references, edits, distances of distributions, likelihoods, means."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from nodegraph.base.diagnostics import Mismatch
from nodes.library.evaluation.accuracy import shapes_oracle
from nodes.library.evaluation.agreement import _same_places, pixel_difference, shapes_agreement
from nodes.library.evaluation.fidelity import clip_features, fid, fidelity_row, kid
from nodes.library.evaluation.likelihood import bits_per_dim
from nodes.library.evaluation.plots import plot_lines
from nodes.library.evaluation.scenes import edit_cases, held_out_scenes
from nodes.library.evaluation.tables import add_column, best_of_n, bootstrap_row, mean_row
from nodes.library.schedules import noise_scheduler
from nodes.library.text import text_encoder
from nodes.library.training.datasets import table_dataset
from nodes.measures.fidelity import frechet_distance, kernel_distance, precision_recall
from nodes.shapes.oracle import Seen
from nodes.wires.tables import PORT_TYPES, Table


def finished(running):
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return stop.value


@pytest.mark.parametrize("objects", [1, 2])
def test_held_out_pictures_obey_their_captions(objects: int) -> None:
    scenes = held_out_scenes(20, objects, 64)
    table = shapes_oracle(scenes.images, scenes.captions)
    assert sum(table.column("correct")) >= 19
    assert len(scenes.classes) == len(scenes.names) == 20
    for caption, name in zip(scenes.captions, scenes.names, strict=True):
        assert name.split(" ", 1)[1] in caption


def test_edits_keep_one_thing_and_cut_out_the_other() -> None:
    cases = edit_cases(20, 64)
    table = shapes_oracle(cases.images, cases.captions)
    assert not any(table.column("colour_and_shape"))
    assert sum(table.column("count")) >= 19
    assert all(0.3 < share < 0.99 for share in cases.masks.mean((1, 2, 3)).tolist())
    rest = shapes_agreement(cases.images * cases.masks + (1 - cases.masks), cases.images)
    assert not any(rest.column("count"))


def test_agreement_tells_content_structure_and_style_apart() -> None:
    scenes = held_out_scenes(12, 2, 64)
    same = shapes_agreement(scenes.images, scenes.images)
    assert all(all(row[1:]) for row in same.rows)
    turned = shapes_agreement(scenes.images.flip(-1), scenes.images)
    assert sum(turned.column("style")) >= 11
    assert sum(turned.column("structure")) < 8
    recoloured = shapes_agreement(scenes.images.roll(1, 1), scenes.images)
    assert sum(recoloured.column("structure")) > 8
    assert sum(recoloured.column("style")) < 6
    with pytest.raises(Mismatch, match="12 pictures cannot be shared out over 5 references"):
        shapes_agreement(scenes.images, scenes.images[:5])


def test_things_are_paired_by_their_places() -> None:
    """In any order, each with its own, nearer than four units along both axes; up to three of them."""

    def things(*places: tuple[float, float]) -> tuple[Seen, ...]:
        return tuple(Seen("red", "circle", "small", x, y, 3, 0) for x, y in places)

    one, two, three = (0.0, 0.0), (20.0, 0.0), (0.0, 30.0)
    assert _same_places(things(one, two, three), things(three, one, two))
    assert not _same_places(things(one, one, three), things(one, two, three))
    assert not _same_places(things(one, two), things(one, two, three))
    assert not _same_places(things(one, two, three, one), things(one, two, three, one))
    for near, same in ((3.99, True), (-3.99, True), (4.0, False), (-4.0, False)):
        assert _same_places(things((near, 0)), things(one)) == same
        assert _same_places(things((0, near)), things(one)) == same


def test_differences_are_taken_where_the_mask_is_one() -> None:
    pictures = torch.zeros(2, 3, 4, 4)
    pictures[1, 0, 0, 0] = 0.5
    mask = torch.ones(1, 1, 4, 4)
    both = pixel_difference(pictures, torch.zeros(1, 3, 4, 4), mask)
    assert both.column("largest") == [0.0, 0.5]
    assert both.column("mean")[1] == pytest.approx(0.5 / 48)
    for grey in (0.0, 0.5, 0.99):
        mask[..., 0, 0] = grey
        found = pixel_difference(pictures, torch.zeros(1, 3, 4, 4), mask)
        assert found.column("largest") == [0, 0]
    for known in ([0.0, 0.0], [1.0, 0.0], [1.0, 0.99]):
        rows = torch.tensor(known)[:, None, None, None].expand(2, 1, 4, 4)
        with pytest.raises(Mismatch, match="without a known pixel"):
            pixel_difference(pictures, pictures, rows)


def test_distances_of_normal_distributions() -> None:
    """Against the closed form, and 0 between draws of one distribution."""
    torch.manual_seed(0)
    a, b, c = torch.randn(4000, 4), torch.randn(4000, 4), 2 * torch.randn(4000, 4) + 1
    assert frechet_distance(a, c) == pytest.approx(4 * 1 + 4 * (1 + 4 - 2 * 2), rel=0.05)
    assert frechet_distance(a, b) < 0.01
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert abs(kernel_distance(a[:1000], b[:1000])) < 0.05
    assert kernel_distance(a[:1000], c[:1000]) > 1
    order = torch.randperm(len(a))
    assert frechet_distance(a[order], c) == pytest.approx(frechet_distance(a, c))


def test_precision_and_recall_of_half_a_circle() -> None:
    """Half of the real points are generated: all of those are real, and half of the real ones are covered."""
    angle = torch.arange(400) / 400 * 2 * torch.pi
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    half = precision_recall(circle[::2][:100] + 1e-4, circle)
    assert half.precision == 1.0
    assert half.recall == pytest.approx(0.5, abs=0.03)
    with pytest.raises(ValueError, match="3 neighbours need more"):
        precision_recall(circle[:3], circle)


def test_bits_per_dimension_do_not_depend_on_the_chunk(shipped) -> None:
    images = held_out_scenes(3, 1, 32).images
    schedule = noise_scheduler(shipped, steps=4)
    text = text_encoder(shipped, ["a red circle", "a blue star", ""])
    whole, parts = (
        finished(bits_per_dim(shipped, images, schedule, [text], chunk=chunk)) for chunk in (3, 2)
    )
    assert whole.column("bits_per_dim") == pytest.approx(parts.column("bits_per_dim"), rel=1e-3)
    assert all(0 < bits < math.inf for bits in whole.column("bits_per_dim"))
    with pytest.raises(Mismatch, match="makes"):
        finished(bits_per_dim(shipped, images[..., :16], schedule, [text]))


@pytest.fixture
def shipped(tmp_path: Path):
    from nodegraph.base.paths import Sandbox
    from nodegraph.runtime.context import RunContext
    from nodes.models.unet import parse_unet

    return parse_unet("shapes/glide/base", RunContext(Sandbox((), tmp_path)))


def test_means_have_standard_errors_and_lines_are_told_apart() -> None:
    table = Table(("caption", "right"), (("a", 1), ("b", 0), ("c", 1), ("d", 0)))
    row = mean_row(table, ["right"], name="clip", x=3)
    assert row.columns == ("name", "x", "rows", "right", "right_se")
    assert row.rows == (("clip", 3, 4, 0.5, 0.25),)
    rows = Table(row.columns, (*row.rows, ("none", 3, 4, 0.1, 0.02)))
    assert plot_lines(rows, "x", ["right"], by="name").png.startswith(b"\x89PNG")
    for at_port, asks in (
        ("columns", lambda: mean_row(table, ["right", "wright"])),
        ("columns", lambda: table_dataset(table, ["wright"])),
        ("x", lambda: plot_lines.__node__.abstract(table, "wright", ["right"], "")),
        ("y", lambda: plot_lines.__node__.abstract(table, "right", ["wright"], "")),
        ("by", lambda: plot_lines.__node__.abstract(table, "right", [], by="wright")),
    ):
        with pytest.raises(
            Mismatch, match="no column 'wright'; there are caption, right"
        ) as caught:
            asks()
        assert (caught.value.port, caught.value.hint) == (at_port, "did you mean 'right'?")


def test_rows_of_one_case_count_once() -> None:
    table = Table(("right",), ((1,), (1,), (0,), (0,)))
    alone, in_pairs, in_one = (mean_row(table, ["right"], samples=n) for n in (1, 2, 4))
    assert alone.column("right") == in_pairs.column("right") == in_one.column("right") == [0.5]
    assert alone.column("right_se") == [0.25]
    assert in_pairs.column("right_se") == [pytest.approx(0.5 / 2**0.5, abs=1e-6)]
    assert in_one.column("right_se") == [0]
    with pytest.raises(Mismatch, match="4 rows are no cases of 3"):
        mean_row(table, ["right"], samples=3)


def test_rows_have_intervals_over_cases() -> None:
    table = Table(("right",), tuple((int(i % 8 < 6),) for i in range(80)))
    row = bootstrap_row(table, ["right"], name="a", x=2)
    assert row.columns == ("name", "x", "rows", "right", "right_low", "right_high")
    [(name, x, rows, mean, low, high)] = row.rows
    assert (name, x, rows, mean) == ("a", 2, 80, 0.75)
    assert low == pytest.approx(0.65, abs=0.02) and high == pytest.approx(0.84, abs=0.02)
    of_eight = bootstrap_row(table, ["right"], samples=8)  # every case is alike
    assert of_eight.rows[0][3:] == (0.75, 0.75, 0.75)
    assert plot_lines(row, "x", ["right"]).png.startswith(b"\x89PNG")
    with pytest.raises(Mismatch, match="80 rows are no cases of 7"):
        bootstrap_row(table, ["right"], samples=7)


def test_differences_are_taken_case_by_case() -> None:
    """Two techniques that are right in the same cases but for a few differ by less than either is uncertain."""
    cases = [int(i % 2) for i in range(100)]
    other = [1 if i in (10, 20, 30) else right for i, right in enumerate(cases)]
    first, second = (Table(("right",), tuple((v,) for v in of)) for of in (cases, other))
    [(*_, mean, low, high)] = bootstrap_row(second, ["right"], minus=first).rows
    assert mean == 0.03
    assert 0 <= low < 0.03 < high < 0.08
    with pytest.raises(Mismatch, match="99 rows, not 100") as caught:
        bootstrap_row(second, ["right"], minus=Table(first.columns, first.rows[1:]))
    assert caught.value.port == "minus"


def test_columns_are_added_and_the_best_of_n_counts() -> None:
    judged = Table(("right",), ((0,), (1,), (1,), (0,)))
    scores = Table(("row", "cosine"), ((0, 0.1), (1, 0.9), (2, 0.2), (3, 0.3)))
    table = add_column(judged, scores, "cosine", "clip")
    assert table == Table(("right", "clip"), ((0, 0.1), (1, 0.9), (1, 0.2), (0, 0.3)))
    one, two = (best_of_n(table, ["right", "clip"], "clip", 2, n) for n in (1, 2))
    assert one.rows == ((0, 0.5, 0.5), (1, 0.5, 0.25))
    assert two.rows == ((0, 1, 0.9), (1, 0, 0.3))
    for ask, said in (
        (lambda: add_column(table, scores, "cosine", "clip"), "a column 'clip' already"),
        (lambda: add_column(table, scores, "cosin"), "no column 'cosin'"),
        (lambda: add_column(table, Table(("a",), ((1,),)), "a"), "1 rows beside 4"),
        (lambda: best_of_n(table, ["right"], "clip", 2, 3), "of 2 samples 3 cannot be drawn"),
    ):
        with pytest.raises(Mismatch, match=said):
            ask()


def test_fidelity_has_the_figures_of_its_nodes_and_intervals_about_them() -> None:
    torch.manual_seed(0)
    made, real = torch.randn(120, 3) + 0.3, torch.randn(400, 3)
    row = fidelity_row(made, real, "some", 2.0, samples=2, resamples=200)
    assert row.column("pictures") == [120] and row.column("references") == [400]
    coverage = precision_recall(made, real)
    for name, value in (
        ("fid", fid(made, real).column("fid")[0]),
        ("kid", kid(made, real).column("kid")[0]),
        ("precision", coverage.precision),
        ("recall", coverage.recall),
    ):
        assert row.column(name) == [pytest.approx(value, abs=1e-6)]
        [low], [high] = row.column(f"{name}_low"), row.column(f"{name}_high")
        assert low < value < high
    with pytest.raises(Mismatch, match="120 pictures are no cases of 7"):
        fidelity_row(made, real, samples=7)


def test_either_clip_sees_and_scores(models) -> None:
    from nodes.library.clip import clip_image, clip_rerank, clip_score
    from nodes.models.clip import Clip
    from nodes.models.noised_clip import NoisedClip

    clean, noised = models(Clip, "unclip/clip"), models(NoisedClip, "glide/clip")
    drawn = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    texts = ["a red circle", "a blue star"]
    assert torch.equal(finished(clip_features(clean, drawn)), clip_image(clean, drawn).values)
    t = torch.zeros(4, dtype=torch.int64)
    seen, read = noised.images(drawn, t), noised.texts(texts)
    wanted = (seen * read.repeat_interleave(2, 0)).sum(1)
    scores = clip_score(noised, drawn, texts).column("cosine")
    assert scores == pytest.approx(wanted.tolist(), abs=1e-5)
    best = wanted.unflatten(0, (2, 2)).argmax(1)
    assert torch.equal(clip_rerank(noised, drawn, texts), drawn[best + torch.tensor([0, 2])])
    for ask in (
        lambda: clip_score(noised, drawn[..., :8], texts),
        lambda: finished(clip_features(noised, drawn[..., :8])),
    ):
        with pytest.raises(Mismatch, match="looks at 16 px"):
            ask()


def test_tables_are_read_from_csv(tmp_path: Path) -> None:
    from nodegraph.base.paths import Sandbox
    from nodegraph.runtime.context import RunContext

    (tmp_path / "t.csv").write_text("name,x\na,1\nb,2.5\n", encoding="utf-8")
    table = PORT_TYPES[Table].parse("t.csv", RunContext(Sandbox((tmp_path,), tmp_path), tmp_path))
    assert table == Table(("name", "x"), (("a", 1.0), ("b", 2.5)))
    assert np.isfinite(table.column("x")).all()


def test_a_logarithmic_axis_needs_something_positive() -> None:
    nothing = Table(("step", "loss"), ((1, 0.0), (2, 0.0)))
    falling = Table(("step", "loss"), ((1, 1.0), (2, 0.0)))
    drawn = [
        plot_lines(t, "step", ["loss"], log_y=log).png
        for t in (nothing, falling)
        for log in (False, True)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[2] != drawn[3]
