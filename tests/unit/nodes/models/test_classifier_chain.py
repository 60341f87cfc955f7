"""The chain whose noise a guided-diffusion classifier knows."""

import pytest

from nodes.checkpoints.openai import classifier_config

NETWORK = {
    "image_size": 32,
    "in_channels": 3,
    "model_channels": 32,
    "out_channels": 10,
    "num_res_blocks": 1,
    "attention_resolutions": [2],
    "channel_mult": [1, 2],
    "num_head_channels": 16,
    "pool": "attention",
}
FLAGS = {
    "image_size": 64,
    "classifier_width": 32,
    "classifier_depth": 1,
    "classifier_attention_resolutions": "32,16",
    "classifier_use_scale_shift_norm": True,
    "classifier_resblock_updown": True,
    "classifier_pool": "attention",
}


@pytest.mark.parametrize(("options", "published"), [(NETWORK, "linear"), (FLAGS, "cosine")])
def test_it_is_the_published_one_unless_it_is_named(options: dict, published: str) -> None:
    def chain(**named: object) -> tuple[str, int]:
        trained = classifier_config({**options, **named}).trunk.trained
        return trained.schedule, trained.train_steps

    assert chain() == (published, 1000)
    assert chain(noise_schedule="cosine", diffusion_steps=250) == ("cosine", 250)
    assert chain(noise_schedule="linear") == ("linear", 1000)
