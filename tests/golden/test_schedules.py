"""Schedules and respacing against the references' tables."""

import pytest
import torch

from nodes.diffusion.respacing import respace, spaced_timesteps
from nodes.diffusion.schedule import Schedule, from_betas, ranged_betas, schedule

KINDS = {"linear": "linear", "squaredcos_cap_v2": "cosine"}


def assert_tables(prefix: str, chain: Schedule, tensors: dict[str, torch.Tensor]) -> None:
    for key, expected in tensors.items():
        head, _, table = key.rpartition(".")
        if head != prefix:
            continue
        actual = chain.timesteps if table == "timestep_map" else getattr(chain, table)
        torch.testing.assert_close(actual, expected.to(actual.dtype), rtol=1e-9, atol=1e-12)


def test_tables(golden) -> None:
    tensors, meta = golden.load("schedules")
    assert golden.partial or {key.partition(".")[0] for key in tensors} >= {"base", "deprecated"}
    for prefix, case in golden.part(meta, "base").items():
        assert_tables(prefix, schedule(KINDS[case["schedule"]], case["steps"]), tensors)


def test_older_kinds(golden) -> None:
    tensors, meta = golden.load("schedules")
    for key, case in golden.part(meta, "deprecated").items():
        steps = case["num_diffusion_timesteps"]
        betas = ranged_betas(case["beta_schedule"], case["beta_start"], case["beta_end"], steps)
        if key in tensors:
            torch.testing.assert_close(from_betas(betas).betas, tensors[key], rtol=1e-9, atol=1e-12)


def test_spaced_timesteps(golden) -> None:
    for case in golden.part(golden.meta("schedules"), "space_timesteps"):
        assert spaced_timesteps(case["num_timesteps"], case["section_counts"]) == case["timesteps"]


def test_impossible_spacings(golden) -> None:
    for case in golden.part(golden.meta("schedules"), "space_timesteps_errors"):
        with pytest.raises(ValueError, match=r"step|stride|section"):
            spaced_timesteps(case["num_timesteps"], case["section_counts"])


def test_respaced_tables(golden) -> None:
    tensors, meta = golden.load("schedules")
    for prefix, case in golden.part(meta, "respaced").items():
        chain = respace(
            schedule(KINDS[case["schedule"]], case["num_timesteps"]), case["timestep_respacing"]
        )
        assert len(chain) == case["steps"]
        assert_tables(prefix, chain, tensors)
