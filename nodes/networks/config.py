"""What a UNet is built from: frozen options that are written beside its weights."""

from dataclasses import dataclass, field
from typing import Literal

Parametrisation = Literal["eps", "x0", "v"]
FixedVariance = Literal["fixed_small", "fixed_large", "fixed_small_log"]


@dataclass(frozen=True, slots=True)
class TokenizerConfig:
    """`glide_bpe`: GLIDE's byte-pair encoding; `words`: a closed vocabulary, given in `words`."""

    kind: Literal["glide_bpe", "words"] = "glide_bpe"
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextConfig:
    """A text transformer: `context` tokens of `width`; `padding`: a learned embedding for each padded position."""

    vocabulary: int = 50_257
    context: int = 128
    width: int = 512
    layers: int = 16
    heads: int = 8
    final_norm: bool = True
    padding: bool = True
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)


@dataclass(frozen=True, slots=True)
class TrainedFor:
    """What the outputs mean: the parametrisation, the variance, and the chain the network was trained on."""

    parametrisation: Parametrisation = "eps"
    learned_variance: bool = True
    fixed_variance: FixedVariance = "fixed_small"
    schedule: str = "linear"
    train_steps: int = 1000


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """A UNet for [B, channels, image_size, image_size].

    `attention`: downsampling factors (of the folded picture) with attention; `head_channels` overrides `heads`;
    `fold`: k×k pixels are folded into channels before the network and unfolded after it; conditions are composed:
    `text` (its own transformer), `classes` (label embedding), `low_resolution` (an upsampled picture beside x_t),
    `known_pixels` (a masked picture and its mask beside x_t).
    """

    image_size: int = 64
    channels: int = 3
    model_channels: int = 192
    multipliers: tuple[float, ...] = (1, 2, 3, 4)
    blocks: int = 3
    attention: tuple[int, ...] = (2, 4, 8)
    heads: int = 1
    heads_upsample: int | None = None
    head_channels: int | None = None
    scale_shift_norm: bool = True
    resample_in_blocks: bool = True
    qkv_order: Literal["head_major", "qkv_major"] = "head_major"
    dropout: float = 0.0
    fold: int = 1
    text: TextConfig | None = None
    classes: int | None = None
    low_resolution: bool = False
    known_pixels: bool = False
    trained: TrainedFor = field(default_factory=TrainedFor)

    @property
    def widths(self) -> list[int]:
        """Channels of each level."""
        return [int(multiplier * self.model_channels) for multiplier in self.multipliers]

    @property
    def output_channels(self) -> int:
        return self.channels * (2 if self.trained.learned_variance else 1)

    @property
    def condition_channels(self) -> int:
        """Channels that stand beside x_t: known pixels with their mask, then the low-resolution picture."""
        known = self.channels + 1 if self.known_pixels else 0
        return known + (self.channels if self.low_resolution else 0)

    @property
    def embedding_width(self) -> int:
        return 4 * self.model_channels


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """A classifier of noisy pictures: the encoder of `trunk`, whose conditions and outputs are not used, and a head.

    `pool`: how pixels become one vector: `attention`, `adaptive` (a mean), `spatial` and `spatial_v2` (means of all stages).
    """

    trunk: UNetConfig = field(default_factory=lambda: UNetConfig(head_channels=64, blocks=4))
    classes: int = 1000
    pool: Literal["attention", "adaptive", "spatial", "spatial_v2"] = "attention"


@dataclass(frozen=True, slots=True)
class NoisedClipConfig:
    """GLIDE's CLIP, whose image encoder knows the timestep; `train_steps` of 0: it does not.

    Two transformers of heads × head width; `embedding_width` is that of the joint space. `words`: a closed vocabulary,
    in place of CLIP's byte-pair encoding.
    """

    image_size: int = 64
    patch_size: int = 4
    embedding_width: int = 512
    train_steps: int = 1000
    schedule: str = "cosine"
    logit_scale: float = 100.0
    vocabulary: int = 65_536
    context: int = 77
    text_heads: int = 8
    text_head_width: int = 64
    text_layers: int = 12
    image_heads: int = 12
    image_head_width: int = 64
    image_layers: int = 12
    words: tuple[str, ...] = ()
