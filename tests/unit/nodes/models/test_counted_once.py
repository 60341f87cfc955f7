"""What is asked of every run is worked out once: sizes of networks, whether files are a model's. What is dropped is let go."""

import gc
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from nodegraph import load, loads
from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.meta.abstract import abstract_run
from nodes.checkpoints.verify import WrongFile
from nodes.checkpoints.weights import write_model
from nodes.models.handle import parsed
from nodes.models.unet import UNet
from nodes.networks.prior.diffusion import Prior as PriorNetwork
from nodes.networks.unet.network import UNet as Network
from tests.support.tiny import READING, UNCLIP, write_bundle

GRAPH = """
graph: 1
inputs: {steps: {type: Steps, default: 2}, seed: {type: Seed, default: 0}}
nodes:
  text: {type: text_encoder, model: model, text: a red circle}
  empty: {type: text_encoder, model: model, text: ""}
  cond: {type: unet_denoiser, model: model, conditions: $text}
  uncond: {type: unet_denoiser, model: model, conditions: $empty}
  guided: {type: classifier_free_guidance, cond: $cond, uncond: $uncond, scale: 2}
  schedule: {type: noise_scheduler, model: model, steps: $steps}
  small: {type: ancestral_sampler, denoiser: $guided, schedule: $schedule, seed: $seed}
outputs: {image: $small}
"""


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeakSet[Network]]:
    """The UNets and priors that are built from here on and still alive; none is let go by the cyclic collector."""
    alive = WeakSet[Network]()
    for kind in (Network, PriorNetwork):

        def noted(self: Network, config: object, made=kind.__init__) -> None:
            made(self, config)
            alive.add(self)

        monkeypatch.setattr(kind, "__init__", noted)
    gc.collect()
    gc.disable()
    yield alive
    gc.enable()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model", Network(READING), READING, {})
    return tmp_path


def handle(folder: Path, device: str = "cpu") -> UNet:
    context = RunContext(Sandbox((folder,), folder), folder, device, abstract=device == "meta")
    return parsed(UNet, "model", context)


def test_a_network_is_built_once_to_be_counted(folder: Path, built: WeakSet[Network]) -> None:
    first = handle(folder, "meta")
    assert len(built) == 1
    others = [handle(folder, "meta"), handle(folder)]
    assert {model.needs.parameters for model in (first, *others)} == {first.parameters}
    assert len(built) == 1


def test_a_plan_does_not_count_a_network_that_is_built_late(folder: Path) -> None:
    handle(folder, "meta")
    with abstract_run() as cost:
        assert handle(folder, "meta").module().time[0].weight.is_meta
    assert (cost().flops, cost().peak) == (0, 0)


def test_files_are_looked_into_once_for_each_of_their_states(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(folder).verify()
    with monkeypatch.context() as patched:
        patched.setattr(UNet, "_compare", lambda self: pytest.fail("it is known"))
        handle(folder).verify()
    weights = folder / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises((WrongFile, ValueError)):
        handle(folder).verify()


def test_an_engine_that_is_dropped_lets_its_networks_go(
    folder: Path, built: WeakSet[Network]
) -> None:
    for seed in range(3):
        loads(GRAPH, cached=False)(seed=seed)
        assert not len(built)


def test_a_dropped_engine_of_unclip_lets_its_networks_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: WeakSet[Network]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "unclip", UNCLIP)
    steps = dict.fromkeys(("prior_steps", "decoder_steps", "upsample_steps"), 2)
    for seed in range(2):
        graph = load("unclip/text_to_image", cached=False)
        graph(models="unclip", prompt="a red circle", seed=seed, **steps)
        del graph
        assert not len(built)


def test_other_steps_do_not_call_the_networks_on_shapes_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = loads(GRAPH, cached=False)
    graph()
    forward = Network.forward

    def on_values(self: Network, x_t, *args, **conditions):
        assert not x_t.is_meta
        return forward(self, x_t, *args, **conditions)

    monkeypatch.setattr(Network, "forward", on_values)
    assert graph(steps=5, seed=1).image.shape == (1, 3, 16, 16)


def test_with_little_memory_one_network_is_alive_at_a_time(
    folder: Path, built: WeakSet[Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(folder / "other", Network(READING), READING, {"another": 1})
    two = GRAPH.replace(
        "empty: {type: text_encoder, model: model", "empty: {type: text_encoder, model: other"
    )
    two = two.replace(
        "uncond: {type: unet_denoiser, model: model", "uncond: {type: unet_denoiser, model: other"
    )
    forward, most = Network.forward, []

    def counted(self: Network, *args, **conditions):
        most.append(sum(not next(network.parameters()).is_meta for network in built))
        return forward(self, *args, **conditions)

    monkeypatch.setattr(Network, "forward", counted)
    images = [loads(two, cached=False, low_memory=low)().image for low in (False, True)]
    assert (images[0] == images[1]).all()
    calls = len(most) // 2
    assert (max(most[:calls]), max(most[calls:])) == (2, 1)
