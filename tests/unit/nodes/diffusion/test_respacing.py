"""Which timesteps a schedule visits, against the rules of the schedulers it stands for."""

import numpy as np
import pytest

from nodes.diffusion.respacing import refined, respace, spaced_timesteps
from nodes.diffusion.schedule import schedule


@pytest.mark.parametrize("train_steps", [1000, 400, 37])
def test_the_steps_of_the_scheduler_of_unclip(train_steps: int) -> None:
    """For every number of steps: multiples of the stride, rounded half to even."""
    from diffusers import UnCLIPScheduler

    scheduler = UnCLIPScheduler(num_train_timesteps=train_steps)
    chain = schedule("cosine_float32", train_steps)
    counts = range(2, train_steps + 1)
    others = []
    for count in counts:
        scheduler.set_timesteps(count)
        if respace(chain, count).timesteps.flip(0).tolist() != scheduler.timesteps.tolist():
            others.append(count)
    assert others == []


def test_openai_adds_strides_up() -> None:
    """So 23 steps of the original chain are not those of diffusers' one."""
    added = np.cumsum([0.0] + [999 / 22] * 22).round().astype(int).tolist()
    assert respace(schedule("cosine"), 23).timesteps.tolist() == added
    assert respace(schedule("cosine_float32"), 23).timesteps.tolist() != added


@pytest.mark.parametrize("train_steps", [1000, 4000, 301, 50])
def test_fast27_of_any_chain(train_steps: int) -> None:
    """Sections of 10, 10, 3, 2 and 2 steps, but for the noisiest, which is taken two earlier."""
    *steps, last = spaced_timesteps(train_steps, "10,10,3,2,2")
    assert spaced_timesteps(train_steps, "fast27") == [*steps, train_steps - 3]
    assert last == train_steps - 1


def test_fast27_of_too_short_a_chain() -> None:
    with pytest.raises(ValueError, match="cannot be divided into 10"):
        spaced_timesteps(40, "fast27")


def test_a_chain_is_told_by_kind_and_length_however_it_is_cut() -> None:
    whole = schedule("cosine", 100)
    assert respace(whole, 10).chain == whole.chain == ("cosine", 100)
    assert whole.chain not in (schedule("linear", 100).chain, schedule("cosine", 10).chain)


@pytest.mark.parametrize("count", [1, 3, 4, 7, 50, 1000])
def test_trailing_steps_are_those_of_diffusers_trailing_spacing(count: int) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(count)
    assert spaced_timesteps(1000, f"trailing{count}") == scheduler.timesteps.flip(0).tolist()


def test_more_trailing_steps_than_the_chain_has_are_refused() -> None:
    with pytest.raises(ValueError, match="51 steps are more than the 50"):
        spaced_timesteps(50, "trailing51")


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_refined_schedule_visits_what_it_was_cut_from(parts: int) -> None:
    coarse = respace(schedule("cosine"), "trailing7")
    fine = refined(coarse, parts)
    assert len(fine) == 7 * parts
    assert fine.timesteps[parts - 1 :: parts].tolist() == coarse.timesteps.tolist()
    assert fine.alphas_cumprod[parts - 1 :: parts].allclose(coarse.alphas_cumprod)


def test_steps_that_are_neighbours_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="cannot be cut into 2"):
        refined(schedule("cosine", 10), 2)
