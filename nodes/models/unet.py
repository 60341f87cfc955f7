"""UNets on a wire."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from nodegraph.base.diagnostics import Mismatch
from nodegraph.library.port import Context
from nodegraph.runtime.meta.abstract import Recall
from nodes.diffusion.denoisers import DiffusionNetwork
from nodes.diffusion.schedule import Schedule, schedule
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.models.handle import Model, parsed
from nodes.models.reading import as_meant, warn_of_left_out
from nodes.networks.clip.conditions import ClipEncoding, ClipReading
from nodes.networks.config import TextConfig, UNetConfig
from nodes.networks.text import bias_of, without_padding
from nodes.networks.tokenizer import left_out, tokenize
from nodes.networks.unet import network as unet


class UNet(Model[UNetConfig, unet.UNet]):
    """A handle of a UNet."""

    def build(self) -> unet.UNet:
        return unet.UNet(self.config)

    @property
    def image_size(self) -> int:
        return self.config.image_size

    @cached_property
    def trained(self) -> Schedule:
        """The chain that the network was trained on."""
        return schedule(self.config.trained.schedule, self.config.trained.train_steps)  # type: ignore[arg-type]

    @property
    def diffusion(self) -> DiffusionNetwork:
        """The network as the denoiser algebra sees it; one object for each handle, so that its calls are shared."""
        return self.shared("diffusion", self._as_diffusion)

    def _as_diffusion(self) -> DiffusionNetwork:
        config = self.config
        return DiffusionNetwork(
            call=self.call,
            trained=self.trained,
            sample_shape=(config.channels, config.image_size, config.image_size),
            target=config.trained,
            device=torch.device(self.device),
            prepare=self._prepared,
            x0_bound=config.trained.x0_bound,
            keeping=self._call_keeping,
            stages=config.stages,
        )

    def _call_keeping(self, x_t: Tensor, t: Tensor, **given: Any) -> tuple[Tensor, Tensor]:
        return self.module().keeping(x_t, t, **given)

    def _projected(self, tokens: Tensor) -> Tensor:
        return (self._on_shapes_projected if self.abstract else self.module().projected)(tokens)

    @cached_property
    def _on_shapes_projected(self) -> Recall:
        return Recall(self.module().projected)

    def _prepared(self, conditions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What is the same at every step: tokens as the keys and values of each attention, labels as their embedding."""
        ready = dict(conditions)
        if (tokens := ready.pop("tokens", None)) is not None:
            if (mask := ready.pop("mask", None)) is not None:
                mask, tokens = without_padding(mask, tokens)
                ready["bias"] = bias_of(mask, self.place.dtype)
            ready["context"] = self._projected(tokens)
        if (labels := ready.pop("labels", None)) is not None:
            ready["embedding"] = self._embedded(labels, ready.get("embedding"))
        return ready

    def _embedded(self, labels: Tensor, pooled: Tensor | None) -> Tensor:
        """Labels [R] as [R, E], and the pooled text added where there is one."""
        table = self.module().label_embedding
        assert table is not None
        return table(labels) if pooled is None else table(labels) + pooled

    def text_config(self) -> TextConfig:
        """Configuration of the text transformer. Raises Mismatch for a network without one."""
        if self.config.text is None:
            raise Mismatch(f"'{self.name}' has no text transformer of its own", port="model")
        return self.config.text

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Pooled [R, E] and tokens [R, L, W] of R texts."""
        config = self.text_config()
        tokens = tokenize(config, as_meant(texts, config.tokenizer.words)).to(self.device)
        module = self.module()
        assert module.text is not None
        encoding = module.text(tokens.ids, tokens.mask)
        return encoding.pooled.float(), encoding.tokens.float()

    def warn_of_left_out(self, texts: Sequence[str], port: str = "text") -> None:
        """Say what the text transformer does not get of texts."""
        config = self.text_config()
        warn_of_left_out(self.name, texts, partial(left_out, config), config.tokenizer.words, port)

    def read_clip(
        self, image: Embedding | None, text: ClipTokens | None, embedding: Embedding | None
    ) -> ClipEncoding:
        """What the decoder makes of CLIP's embedding of a picture (None: the learned null), and of a text."""
        module = self.module()
        assert module.clip is not None
        reading = None
        if text is not None and embedding is not None:
            reading = ClipReading(embedding.values, text.values, text.mask).to(self.device)
        return module.clip(None if image is None else image.values.to(self.device), reading)


def parse_unet(literal: Any, context: Context) -> UNet:
    """A UNet by a catalogue name (`shapes/glide/base`), or of a folder with a `config.json`."""
    return parsed(UNet, literal, context)
