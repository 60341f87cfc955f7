"""What a UNet is built from: frozen options that are written beside its weights."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from nodes.target import Target

Pool = Literal["attention", "adaptive", "spatial", "spatial_v2"]


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
class TrainedFor(Target):
    """The target of a network, with the chain that it was trained on and |x_0| at most; it gives no x_{t−1} and no log Σ.

    `respacing`: the steps that it is sampled in where a graph does not say others; empty: all.
    """

    parametrisation: Literal["eps", "x0", "v"] = "eps"
    learned_variance: bool = True
    schedule: str = "linear"
    train_steps: int = 1000
    x0_bound: float = 1.0
    respacing: str = ""


@dataclass(frozen=True, slots=True)
class ClipConditionConfig:
    """What a decoder makes of CLIP embeddings: `extra_tokens` context tokens of `width`, and a part of the time embedding.

    `embedding`: width of CLIP's joint space; `text_width`: that of CLIP's text tokens, None for a decoder that reads none;
    `space`: the name of the joint space (see `ClipConfig`), empty for any.
    """

    embedding: int = 768
    width: int = 1536
    extra_tokens: int = 4
    text_width: int | None = 768
    space: str = ""


@dataclass(frozen=True, slots=True)
class LowResolution:
    """How a low-resolution picture comes to the network's size: rounded to `levels` (None: not), then by `filter`.

    `factor`: how many times smaller it is. `residual`: x_0 is the enlarged picture and what the network adds to it.
    """

    levels: int | None = 256
    filter: Literal["bilinear", "bicubic"] = "bilinear"
    factor: int = 4
    residual: bool = False


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """A UNet for [B, channels, image_size, image_size].

    `attention`: downsampling factors (of the folded picture) with attention; `head_channels` overrides `heads`;
    `resample_in_blocks`: residual blocks resample, else `resample_convolutions` (strided, or after nearest neighbours), else
    means and nearest neighbours alone; `rescaled_timesteps`: the network sees t·1000/T of a chain of T steps;
    `fold`: k×k pixels are folded into channels before the network and unfolded after it; conditions are composed:
    `text` (its own transformer), `clip` (CLIP embeddings), `classes` (label embedding), `low_resolution` (an upsampled
    picture beside x_t), `known_pixels` (a masked picture and its mask beside x_t).
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
    middle_attention: bool = True
    groups: int = 32
    scale_shift_norm: bool = True
    resample_in_blocks: bool = True
    resample_convolutions: bool = True
    rescaled_timesteps: bool = False
    qkv_order: Literal["head_major", "qkv_major"] = "head_major"
    dropout: float = 0.0
    fold: int = 1
    text: TextConfig | None = None
    clip: ClipConditionConfig | None = None
    classes: int | None = None
    low_resolution: bool = False
    low_resolution_as: LowResolution = field(default_factory=LowResolution)
    known_pixels: bool = False
    trained: TrainedFor = field(default_factory=TrainedFor)

    def __post_init__(self) -> None:
        trained = self.trained
        if self.residual and (trained.parametrisation != "x0" or trained.learned_variance):
            raise ValueError("a residual upsampler predicts x0, without a variance")

    @property
    def residual(self) -> bool:
        """Whether the low-resolution picture is added to what the network says."""
        return self.low_resolution and self.low_resolution_as.residual

    @property
    def context_width(self) -> int | None:
        """Width of the context tokens, None for a network without any."""
        if self.clip is not None:
            return self.clip.width
        return self.text.width if self.text is not None else None

    @property
    def widths(self) -> list[int]:
        """Channels of each level."""
        # A quotient of widths may give a little less than the width again.
        return [int(multiplier * self.model_channels + 1e-6) for multiplier in self.multipliers]

    @property
    def stages(self) -> int:
        """Stages of the way down, and as many of the way up."""
        return len(self.multipliers) * (self.blocks + 1)

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
    pool: Pool = "attention"


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


@dataclass(frozen=True, slots=True)
class PriorConfig:
    """A causal transformer over text tokens, text embedding, timestep, noisy image embedding and a learned query.

    `embedding`: width of what is sampled, `output` of what is predicted, `condition` of the text embedding (None: the same);
    `tokens`: text tokens of `text_width` (None: of `embedding`); with `reads_text` false there are none, and x_t itself is a
    sequence of `tokens` that is read off again where there is no `query`. `norm_in`, `norm_condition`: LayerNorms before the
    blocks and before the text embedding. `space`: the name of CLIP's joint space (see `ClipConfig`), empty for any.
    """

    embedding: int = 768
    tokens: int = 77
    heads: int = 32
    head_width: int = 64
    layers: int = 20
    text_width: int | None = None
    condition: int | None = None
    output: int | None = None
    time_width: int | None = None
    time_activation: Literal["silu", "gelu"] = "silu"
    reads_text: bool = True
    query: bool = True
    positions: int = 81
    norm_in: bool = False
    norm_condition: bool = False
    space: str = ""
    trained: TrainedFor = field(
        default_factory=lambda: TrainedFor("x0", False, "fixed_small_log", "cosine", 1000, 5.0)
    )

    @property
    def width(self) -> int:
        return self.heads * self.head_width

    @property
    def output_width(self) -> int:
        return self.output or self.embedding


@dataclass(frozen=True, slots=True)
class ArPriorConfig:
    """A causal transformer over text tokens, text embedding, dot product with the picture's, and the codes of an embedding.

    `embedding`: width of CLIP's joint space, of which the first `components` principal ones are predicted, each as one of
    `buckets`; `levels`: buckets of the dot product; `tokens`: text tokens, of `text_width`. `space` as in PriorConfig.
    """

    embedding: int = 1024
    components: int = 319
    buckets: int = 1024
    levels: int = 1024
    tokens: int = 77
    text_width: int = 1024
    heads: int = 32
    head_width: int = 64
    layers: int = 24
    space: str = ""

    @property
    def width(self) -> int:
        return self.heads * self.head_width

    @property
    def prefix(self) -> int:
        """Positions before the first code: text tokens, text embedding, dot product."""
        return self.tokens + 2


@dataclass(frozen=True, slots=True)
class ClipTokenizerConfig:
    """How a CLIP reads words. `clip`: its byte-pair encoding and cleaning; `clip_padded`: the same vocabulary as transformers
    reads it, where `padding` stands for itself in a text; `folder`: so too, with the vocabulary there; `words`: a closed list;
    `other`: one that is not here, so that texts cannot be read.
    """

    kind: Literal["clip", "clip_padded", "folder", "words", "other"] = "clip"
    folder: str = ""
    words: tuple[str, ...] = ()
    padding: str = "!"


@dataclass(frozen=True, slots=True)
class ClipPictures:
    """How a CLIP's pictures are brought to its square, as bytes.

    `resize_mode`: the shortest side to the square's, and the middle cut out; the longest, and a rim of `fill` (0 to 255) around
    it; or `squash`ed. `program`: whose arithmetic: open_clip's (Pillow; an odd rest is cut by rounding half to even) or that of
    transformers (torch; an odd rest is cut by rounding down).
    """

    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill: int = 0
    program: Literal["open_clip", "transformers"] = "open_clip"


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """A CLIP, as open_clip's architecture files describe it; a tower that is None is not there.

    `space`: name of the joint space, the same for every copy of one pretrained CLIP: what an embedding of it may be used with.
    `means`, `deviations`: of the colours of pictures in [0, 1].
    """

    embedding: int = 512
    text: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    quick_gelu: bool = False
    tokenizer: ClipTokenizerConfig = field(default_factory=ClipTokenizerConfig)
    means: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    deviations: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    pictures: ClipPictures = field(default_factory=lambda: ClipPictures(program="transformers"))
    space: str = ""

    @property
    def context(self) -> int:
        return int((self.text or {}).get("context_length", 77))

    @property
    def text_width(self) -> int:
        return int((self.text or {}).get("width", 512))

    @property
    def image_size(self) -> int:
        return int((self.image or {}).get("image_size", 224))


@dataclass(frozen=True, slots=True)
class LaionPriorConfig:
    """LAION's prior: multi-query attention by cosine, relative positions, gated layers; embeddings are √width times as long.

    `steps`: an embedding for each timestep, None: waves and a perceptron; `image_tokens`, `text_tokens`, `time_tokens`: how
    many each of them becomes; `normed_gate`: a norm after the gate. `space` as in PriorConfig.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    head_width: int = 64
    context: int = 77
    widening: int = 4
    steps: int | None = 1000
    image_tokens: int = 1
    text_tokens: int = 1
    time_tokens: int = 1
    normed_gate: bool = False
    rotary: bool = True
    norm_in: bool = False
    norm_out: bool = True
    project_out: bool = True
    space: str = ""
    trained: TrainedFor = field(
        default_factory=lambda: TrainedFor("x0", False, "fixed_small_log", "cosine", 1000, math.inf)
    )

    @property
    def embedding(self) -> int:
        return self.width
