"""Spherical interpolation against a closed form in float64; the community's element-wise variant is another function."""

import torch

from nodes.library.embeddings import slerp

FILE = "unclip_slerp"


def test_slerp(golden) -> None:
    tensors, meta = golden.load(FILE)
    shares = tensors["slerp.t"]
    inside = (shares >= 0) & (shares <= 1)
    for name in meta["pairs"]:
        low, high = (tensors[f"slerp.{name}.{end}"].double()[None] for end in ("low", "high"))
        found = slerp(low, high, shares[inside].double().tolist())
        expected = tensors[f"slerp.{name}.out_vector_fp64"][inside]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9, msg=name)


def test_the_element_wise_variant_is_another_function(golden) -> None:
    """Wherever neither has a NaN, between directions that are neither one nor opposite, and not at the ends."""
    tensors, meta = golden.load(FILE)
    within = [i for i, t in enumerate(tensors["slerp.t"].tolist()) if 0.2 <= t <= 0.8]
    for name, about in meta["pairs"].items():
        if abs(about["dot_of_unit_vectors"]) < 0.9 and not about["community_has_nan"]:
            low, high = (tensors[f"slerp.{name}.{end}"][None] for end in ("low", "high"))
            other = tensors[f"slerp.{name}.out_community_elementwise"][within]
            ours = slerp(low, high, tensors["slerp.t"][within].tolist())
            far = (ours - other).abs().amax(1) / ours.abs().amax(1)
            assert not len(far) or float(far.max()) > 1e-3, name
