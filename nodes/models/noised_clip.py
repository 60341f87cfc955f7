"""CLIPs on a wire."""

from functools import cached_property, partial
from typing import ClassVar

from torch import Tensor

from nodes.diffusion.schedule import Schedule, schedule
from nodes.models.handle import Model
from nodes.models.reading import as_meant, warn_of_left_out
from nodes.networks import noised_clip
from nodes.networks.config import NoisedClipConfig


class NoisedClip(Model[NoisedClipConfig, noised_clip.NoisedClip]):
    """A handle of a CLIP; a noised one knows how noisy its picture is."""

    guides: ClassVar[bool] = True

    def build(self) -> noised_clip.NoisedClip:
        return noised_clip.NoisedClip(self.config)

    @property
    def image_size(self) -> int:
        return self.config.image_size

    @cached_property
    def trained(self) -> Schedule | None:
        """The chain whose noise the image encoder knows; None for one that knows clean pictures only."""
        config = self.config
        return schedule(config.schedule, config.train_steps) if config.train_steps else None  # type: ignore[arg-type]

    def texts(self, texts: list[str]) -> Tensor:
        """Unit embeddings [B, D] of texts; says what it does not get of them."""
        found = self.module().texts(as_meant(texts, self.config.words))
        said = partial(noised_clip.left_out_of, self.config)
        warn_of_left_out(self.name, texts, said, self.config.words)
        return found

    def images(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Unit embeddings [B, D] of pictures noised to t [B]."""
        return self.module().images(x_t, t)

    def features(self, x_t: Tensor, t: Tensor) -> list[Tensor]:
        """What each block of the image encoder sees at each patch, [B, N, W]."""
        return self.module().features(x_t, t)
