"""CLIPs of clean pictures and texts on a wire, by open_clip's architectures. A check reads their JSON, never open_clip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nodegraph.base.diagnostics import Mismatch
from nodegraph.library.port import Context
from nodes.checkpoints.adapters import adapted
from nodes.checkpoints.named import named_model
from nodes.checkpoints.open_clip import PREFIX, NamedClip, fetched
from nodes.checkpoints.torch_file import is_script
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.models.handle import MissingWeights, Model, handle
from nodes.models.reading import as_meant, warn_of_left_out
from nodes.networks.clip import network as clip
from nodes.networks.clip.sizes import clip_parameters
from nodes.networks.config import ClipConfig

READINGS = 8
"""Texts, or lists of them, whose readings a CLIP keeps."""


@dataclass(frozen=True)
class Clip(Model[ClipConfig, clip.Clip]):
    """A handle of a CLIP in open_clip's modules; what it makes is marked with its space.

    `remote`: its name there, of weights that open_clip fetches into `folder`.
    """

    remote: NamedClip | None = None
    folder: Path = Path("open_clip")

    def build(self) -> clip.Clip:
        return clip.Clip(self.config)

    @cached_property
    def parameters(self) -> int:
        """Parameters, from the configuration alone."""
        return clip_parameters(self.config)

    def verify(self) -> None:
        """Of published weights: that open_clip has them, or can fetch them. Raises as any model does."""
        if self.remote is None:
            super().verify()
        else:
            self._file  # noqa: B018

    @cached_property
    def _file(self) -> Path:
        """The file of published weights, fetched if it is not here. Raises MissingWeights."""
        assert self.remote is not None
        try:
            return fetched(self.remote, self.folder)
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise MissingWeights(
                f"the weights of '{self.name}' are not on this machine and cannot be fetched: {reason}",
                f"a file that you have serves too: {PREFIX}{self.remote.architecture}/FILE",
            ) from None

    def _load(self) -> clip.Clip:
        if self.remote is None:
            return super()._load()
        own = replace(self, remote=None, files=(self._file,), layout="open_clip")
        try:
            own.verify()
        except ValueError:
            if is_script(self._file):
                raise
            # Weights of another program, which open_clip turns into its own.
            names = self.remote.architecture, self.remote.pretrained
            return self._with_adapters(clip.pretrained(self.config, *names, str(self.folder)))
        return own._load()

    def _with_adapters(self, network: clip.Clip) -> clip.Clip:
        held = network.state_dict()
        network.load_state_dict(adapted([held], self.adapters, lambda files: files[0]))
        return network

    def read(self, texts: Sequence[str]) -> tuple[Embedding, ClipTokens]:
        """Embeddings [B, D] of texts, and their tokens [B, L, W]. Raises Mismatch without a text tower."""
        config = self.config
        if config.text is None:
            raise Mismatch(f"'{self.name}' has no text tower", port="clip")
        if config.tokenizer.kind == "other":
            raise Mismatch(
                f"'{self.name}' reads texts by another vocabulary than CLIP's, which is not here",
                port="clip",
                hint="its pictures can be seen; for texts, choose a CLIP that reads CLIP's vocabulary",
            )
        if self.abstract:
            return self._abstract_reading(len(texts))
        key, known = tuple(texts), self._readings
        if key not in known:
            while len(known) >= READINGS:
                known.pop(next(iter(known)))
            known[key] = self._reading(key)
        return known[key]

    @cached_property
    def _readings(self) -> dict[tuple[str, ...], tuple[Embedding, ClipTokens]]:
        """The latest, since a prior and the decoder after it read the same texts."""
        return {}

    def _reading(self, texts: Sequence[str]) -> tuple[Embedding, ClipTokens]:
        space = self.config.space
        meant = as_meant(texts, self.config.tokenizer.words)
        read = self.module().read(clip.clip_tokenize(self.config, meant).to(self.device))
        return Embedding(read.embedding, space), ClipTokens(read.tokens, read.mask, space)

    def warn_of_left_out(self, texts: Sequence[str], port: str = "text") -> None:
        """Say what the text tower does not get of texts."""
        said = partial(clip.clip_left_out, self.config)
        warn_of_left_out(self.name, texts, said, self.config.tokenizer.words, port)

    def _abstract_reading(self, rows: int) -> tuple[Embedding, ClipTokens]:
        config = self.config
        values = torch.empty(rows, config.embedding, device="meta")
        states = torch.empty(rows, config.context, config.text_width, device="meta")
        mask = torch.empty(rows, config.context, dtype=torch.bool, device="meta")
        return Embedding(values, config.space), ClipTokens(states, mask, config.space)

    def see(self, image: Tensor) -> Embedding:
        """Embeddings [B, D] of pictures [B, 3, H, W]. Raises Mismatch without an image tower."""
        config = self.config
        if config.image is None:
            raise Mismatch(f"'{self.name}' has no image tower", port="clip")
        if self.abstract:
            values = torch.empty(len(image), config.embedding, device="meta")
            return Embedding(values, config.space)
        return Embedding(self.module().see(image.to(self.device)), config.space)


def parse_clip(literal: Any, context: Context) -> Clip:
    """A CLIP by a name of open_clip (`open_clip:ViT-L-14/openai`, or a file in place of the tag), else as any model."""
    named = named_model(Clip.__name__, str(literal), context.readable)
    folder = context.models / "open_clip"
    return replace(handle(Clip, named, context), remote=named.remote, folder=folder)
