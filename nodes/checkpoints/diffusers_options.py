"""The options of diffusers' networks of unCLIP: what each of them means here."""

from collections.abc import Mapping
from typing import Any

from nodes.checkpoints.options import Known

SCHEDULER = Known(
    "the scheduler",
    read=("clip_sample_range", "num_train_timesteps"),
    fixed={
        "_class_name": ("UnCLIPScheduler",),
        "beta_schedule": ("squaredcos_cap_v2",),
        "clip_sample": (True, False),
        "prediction_type": ("epsilon", "sample"),
        "variance_type": ("fixed_small_log", "learned_range"),
    },
)
TEXT_PROJECTION = Known(
    "the text projection",
    read=("clip_embeddings_dim", "clip_extra_context_tokens", "cross_attention_dim"),
    # Of another width than the network's time embedding its weights do not fit.
    free=("time_embed_dim",),
    fixed={"_class_name": ("UnCLIPTextProjModel",)},
)
PRIOR = Known(
    "the prior",
    read=(
        "embedding_dim",
        "num_embeddings",
        "num_attention_heads",
        "attention_head_dim",
        "num_layers",
        "embedding_proj_dim",
        "clip_embed_dim",
        "time_embed_dim",
        "additional_embeddings",
    ),
    free=("dropout",),
    fixed={
        "_class_name": ("PriorTransformer",),
        "encoder_hid_proj_type": ("linear", None),
        "added_emb_type": ("prd", None),
        "norm_in_type": (None, "layer"),
        "embedding_proj_norm_type": (None, "layer"),
        "time_embed_act_fn": ("silu", "gelu"),
    },
)
_UNET_READ = (
    "sample_size",
    "in_channels",
    "out_channels",
    "block_out_channels",
    "layers_per_block",
    "down_block_types",
    "up_block_types",
    "attention_head_dim",
    "norm_num_groups",
    "dropout",
)
# Padding, kinds of resampling, transformers and the precision of attention: none of it is in blocks of these kinds.
_UNET_FREE = (
    "downsample_padding",
    "downsample_type",
    "upsample_type",
    "attn_norm_num_groups",
    "transformer_layers_per_block",
    "use_linear_projection",
    "upcast_attention",
    "num_class_embeds",
)
_UNET_FIXED: Mapping[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "norm_eps": (1e-5,),
    "center_input_sample": (False,),
    "resnet_time_scale_shift": ("default", "scale_shift"),
    "mid_block_scale_factor": (1,),
    "time_embedding_type": ("positional",),
}
SUPER_RESOLUTION = Known(
    "the super-resolution network",
    read=_UNET_READ,
    # The length of the chain counts for learned time embeddings alone.
    free=(*_UNET_FREE, "num_train_timesteps"),
    fixed={
        **_UNET_FIXED,
        "_class_name": ("UNet2DModel",),
        "mid_block_type": ("UNetMidBlock2D",),
        "add_attention": (False,),
        "class_embed_type": (None,),
    },
    missing={"add_attention": True},
)
DECODER = Known(
    "the decoder",
    read=_UNET_READ,
    # The width of the text's tokens is the projection's; heads of added embeddings are of embeddings that are not there.
    free=(*_UNET_FREE, "cross_attention_dim", "addition_embed_type_num_heads"),
    fixed={
        **_UNET_FIXED,
        "_class_name": ("UNet2DConditionModel",),
        "mid_block_type": ("UNetMidBlock2DSimpleCrossAttn",),
        "class_embed_type": ("identity",),
        "only_cross_attention": (False,),
        "attention_type": ("default",),
        "conv_in_kernel": (3,),
        "conv_out_kernel": (3,),
        "resnet_out_scale_factor": (1,),
    },
    missing={"mid_block_type": "UNetMidBlock2DCrossAttn", "class_embed_type": None},
)
