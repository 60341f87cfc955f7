"""Every option of OpenAI's model factories is honoured, or refused where it is not its default, or changes no picture."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from nodes.checkpoints.configs import BadPart, published_config
from nodes.checkpoints.entries import Part
from nodes.checkpoints.openai import classifier_config, clip_config, unet_config
from nodes.checkpoints.options import UnknownConfig
from nodes.library.schedules import noise_scheduler
from nodes.models.unet import UNet
from nodes.networks.config import UNetConfig
from nodes.networks.unet.network import UNet as Network

Options = Mapping[str, Any]
CHAIN: Options = {
    "learn_sigma": False,
    "diffusion_steps": 1000,
    "noise_schedule": "linear",
    "timestep_respacing": "",
    "use_kl": False,
    "predict_xstart": False,
    "rescale_timesteps": False,
    "rescale_learned_sigmas": False,
}
NETWORK: Options = {
    "num_channels": 64,
    "num_res_blocks": 2,
    "num_heads": 4,
    "num_heads_upsample": -1,
    "num_head_channels": -1,
    "attention_resolutions": "16,8",
    "dropout": 0.0,
    "use_scale_shift_norm": True,
    "resblock_updown": False,
    "use_fp16": False,
}
ADM: Options = {
    **(CHAIN | NETWORK),
    "image_size": 64,
    "channel_mult": "",
    "class_cond": False,
    "use_checkpoint": False,
    "use_new_attention_order": False,
}
UPSAMPLER: Options = {
    **(CHAIN | NETWORK),
    "large_size": 256,
    "small_size": 64,
    "class_cond": False,
    "use_checkpoint": False,
}
CLASSIFIER: Options = {
    **CHAIN,
    "image_size": 64,
    "classifier_use_fp16": False,
    "classifier_width": 128,
    "classifier_depth": 2,
    "classifier_attention_resolutions": "32,16,8",
    "classifier_use_scale_shift_norm": True,
    "classifier_resblock_updown": True,
    "classifier_pool": "attention",
}
GLIDE: Options = {
    **NETWORK,
    "image_size": 64,
    "channel_mult": "",
    "text_ctx": 128,
    "xf_width": 512,
    "xf_layers": 16,
    "xf_heads": 8,
    "xf_final_ln": True,
    "xf_padding": True,
    "diffusion_steps": 1000,
    "noise_schedule": "squaredcos_cap_v2",
    "timestep_respacing": "",
    "cache_text_emb": False,
    "inpaint": False,
    "super_res": False,
}
CLIP: Options = {
    "logit_scale": 100.0,
    "beta_schedule": "squaredcos_cap_v2",
    "n_timesteps": 1000,
    "image_size": 64,
    "patch_size": 4,
    "n_vocab": 65536,
    "max_text_len": 77,
    "n_embd": 512,
    "n_head_state_text": 64,
    "n_head_text": 8,
    "n_xf_blocks_text": 12,
    "n_head_state_image": 64,
    "n_head_image": 12,
    "n_xf_blocks_image": 12,
}
UNET_NETWORK: Options = {
    "image_size": 32,
    "in_channels": 3,
    "model_channels": 32,
    "out_channels": 3,
    "num_res_blocks": 1,
    "attention_resolutions": [2],
    "dropout": 0,
    "channel_mult": [1, 2],
    "conv_resample": True,
    "dims": 2,
    "num_classes": None,
    "use_checkpoint": False,
    "use_fp16": False,
    "num_heads": 1,
    "num_head_channels": 16,
    "num_heads_upsample": 4,
    "use_scale_shift_norm": False,
    "resblock_updown": False,
    "use_new_attention_order": False,
}
CLASSIFIER_NETWORK: Options = {
    **{k: v for k, v in UNET_NETWORK.items() if k != "num_classes"},
    "pool": "attention",
}
FREE = {"use_fp16", "use_checkpoint", "use_kl", "rescale_learned_sigmas", "cache_text_emb"}
FREE_OF_CLASSIFIERS = {
    "classifier_use_fp16",
    "learn_sigma",
    "predict_xstart",
    "timestep_respacing",
}


def by_layout(layout: str) -> Callable[[Options], Any]:
    kind = "Classifier" if "classifier" in layout else "UNet"
    return lambda options: published_config(Part(kind, layout, options))


FACTORIES: dict[str, tuple[Callable[[Options], Any], Options, set[str]]] = {
    "adm": (by_layout("openai_adm"), ADM, FREE),
    "upsampler": (by_layout("openai_adm_upsampler"), UPSAMPLER, FREE),
    "classifier": (by_layout("openai_adm_classifier"), CLASSIFIER, FREE | FREE_OF_CLASSIFIERS),
    "glide": (by_layout("openai_glide"), GLIDE, FREE),
    "clip": (clip_config, CLIP, set()),
    "UNetModel": (unet_config, UNET_NETWORK, FREE),
    "EncoderUNetModel": (classifier_config, CLASSIFIER_NETWORK, FREE),
}
CASES = [(factory, name) for factory, (_, options, _) in FACTORIES.items() for name in options]


def another(name: str, value: Any) -> Any:
    known: dict[str, Any] = {
        "noise_schedule": "squaredcos_cap_v2",
        "beta_schedule": "linear",
        "timestep_respacing": "ddim25",
        "channel_mult": "1,2,2,2",
        "attention_resolutions": "8",
        "classifier_attention_resolutions": "8",
        "classifier_pool": "spatial",
        "pool": "spatial",
        "small_size": 128,
        "large_size": 512,
        "num_classes": 10,
        "image_size": 128,
        "num_head_channels": 32,
        "num_heads_upsample": 2,
    }
    if isinstance(value, list):
        return [*value, 4]
    if isinstance(value, bool):
        return not value
    if value == known.get(name):
        return "linear"
    return known[name] if name in known else value + 1


@pytest.mark.parametrize(("factory", "name"), CASES)
def test_every_option(factory: str, name: str) -> None:
    configured, options, free = FACTORIES[factory]
    before = configured(options)
    try:
        changed = configured({**options, name: another(name, options[name])}) != before
    except UnknownConfig as error:
        assert name in str(error)
        changed = True
    assert changed != (name in free)


@pytest.mark.parametrize("factory", FACTORIES)
def test_options_that_no_factory_has(factory: str) -> None:
    configured, options, _ = FACTORIES[factory]
    with pytest.raises(UnknownConfig, match="num_hads is 4, which is not known"):
        configured({**options, "num_hads": 4})
    assert configured({**options, "later": None}) == configured(options)


@pytest.mark.parametrize(
    ("factory", "name", "value"),
    [
        ("adm", "class_cond", "False"),
        ("adm", "learn_sigma", 1),
        ("adm", "noise_schedule", "cosin"),
        ("adm", "dims", 3),
        ("upsampler", "small_size", 100),
        ("glide", "xf_ar", 0.1),
        ("glide", "learn_sigma", False),
        ("glide", "inpaint", "yes"),
        ("classifier", "classifier_pool", "mean"),
        ("classifier", "noised", False),
        ("EncoderUNetModel", "num_head_channels", -1),
    ],
)
def test_values_that_are_refused(factory: str, name: str, value: Any) -> None:
    configured, options, _ = FACTORIES[factory]
    with pytest.raises(UnknownConfig, match=str(value)):
        configured({**options, name: value})


def test_values_of_another_kind_are_no_traceback() -> None:
    configured, options, _ = FACTORIES["adm"]
    for name in options:
        for value in ({"a": 1}, [], None, "x"):
            try:
                configured({**options, name: value})
            except (UnknownConfig, BadPart, ValueError) as error:
                assert str(error)


def test_timesteps_on_the_scale_of_a_thousand() -> None:
    """The network of a chain of 400 steps sees t as one of a chain of 1000 sees 2.5·t."""
    torch.manual_seed(0)
    small = {"num_channels": 32, "num_res_blocks": 1, "channel_mult": "1,2", "image_size": 16}
    options = {**ADM, **small, "attention_resolutions": "8", "diffusion_steps": 400}
    configs = [
        published_config(Part("UNet", "openai_adm", {**options, "rescale_timesteps": flag}))
        for flag in (False, True)
    ]
    plain, rescaled = (
        Network(config).eval() for config in configs if isinstance(config, UNetConfig)
    )
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.normal_(std=0.1)
    rescaled.load_state_dict(plain.state_dict())
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 399])
    with torch.no_grad():
        assert torch.equal(rescaled(x, t), plain(x, t * 2.5))
        assert not torch.equal(rescaled(x, t), plain(x, t))


def test_the_steps_of_the_options_are_those_of_a_graph_that_says_none() -> None:
    config = published_config(Part("UNet", "openai_adm", {**ADM, "timestep_respacing": [10, 5]}))
    assert isinstance(config, UNetConfig)
    model = UNet("mine", config, "digest")
    assert len(noise_scheduler(model)) == 15
    assert len(noise_scheduler(model, steps="ddim50")) == 50
    assert len(noise_scheduler(model, steps=7)) == 7
