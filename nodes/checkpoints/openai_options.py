"""The options of OpenAI's model factories, guided-diffusion's and GLIDE's: what each of them means here."""

from typing import Any

from nodes.checkpoints.options import Known

_FREE = (
    # Precision is the run's; what is kept of activations and of a text between steps is the program's own affair.
    "use_fp16",
    "use_checkpoint",
    "cache_text_emb",
    # What a training weighs its losses by.
    "use_kl",
    "rescale_learned_sigmas",
)
_UNET = (
    "num_channels",
    "num_res_blocks",
    "channel_mult",
    "num_heads",
    "num_head_channels",
    "num_heads_upsample",
    "attention_resolutions",
    "dropout",
    "use_scale_shift_norm",
    "resblock_updown",
    "conv_resample",
)
_DIFFUSION = (
    "diffusion_steps",
    "noise_schedule",
    "timestep_respacing",
    "predict_xstart",
    "rescale_timesteps",
    "sigma_small",
)
_FLAT: dict[str, tuple[Any, ...]] = {"dims": (2,)}
GLIDE = Known(
    "GLIDE",
    read=(
        *_UNET,
        *_DIFFUSION,
        "image_size",
        "text_ctx",
        "xf_width",
        "xf_layers",
        "xf_heads",
        "xf_final_ln",
        "xf_padding",
        "inpaint",
        "super_res",
    ),
    free=_FREE,
    fixed={
        **_FLAT,
        "learn_sigma": (True,),
        "class_cond": (False,),
        "use_new_attention_order": (False,),
        "xf_ar": (0,),
        "share_unemb": (False,),
    },
)
_ADM = (*_UNET, *_DIFFUSION, "class_cond", "learn_sigma", "use_new_attention_order")
ADM = Known("guided-diffusion", read=(*_ADM, "image_size"), free=_FREE, fixed=_FLAT)
ADM_UPSAMPLER = Known(
    "guided-diffusion's upsampler",
    read=(*_ADM, "large_size", "small_size"),
    # The factory of upsamplers has no size but the large one.
    free=(*_FREE, "image_size"),
    fixed=_FLAT,
)
CLASSIFIER = Known(
    "guided-diffusion's classifier",
    read=(
        "image_size",
        "classifier_width",
        "classifier_depth",
        "classifier_attention_resolutions",
        "classifier_use_scale_shift_norm",
        "classifier_resblock_updown",
        "diffusion_steps",
        "noise_schedule",
        "rescale_timesteps",
        "conv_resample",
    ),
    # It noises by its chain, and says nothing of pictures: what the outputs of a diffusion network mean is not its own.
    free=(
        *_FREE,
        "classifier_use_fp16",
        "learn_sigma",
        "predict_xstart",
        "sigma_small",
        "timestep_respacing",
    ),
    fixed={
        **_FLAT,
        "noised": (True,),
        "classifier_pool": ("attention", "adaptive", "spatial", "spatial_v2"),
    },
)
_NETWORK = (
    "image_size",
    "in_channels",
    "model_channels",
    "out_channels",
    "num_res_blocks",
    "attention_resolutions",
    "dropout",
    "channel_mult",
    "conv_resample",
    "num_heads",
    "num_head_channels",
    "num_heads_upsample",
    "use_scale_shift_norm",
    "resblock_updown",
    "use_new_attention_order",
)
UNET_NETWORK = Known(
    "guided-diffusion's network", read=(*_NETWORK, "num_classes"), free=_FREE, fixed=_FLAT
)
CLASSIFIER_NETWORK = Known(
    "guided-diffusion's classifier",
    read=(*_NETWORK, "noise_schedule", "diffusion_steps"),
    free=_FREE,
    fixed={**_FLAT, "pool": ("adaptive", "attention", "spatial", "spatial_v2")},
)
CLIP = Known(
    "GLIDE's CLIP",
    read=(
        "logit_scale",
        "beta_schedule",
        "n_timesteps",
        "image_size",
        "patch_size",
        "n_vocab",
        "max_text_len",
        "n_embd",
        "n_head_state_text",
        "n_head_text",
        "n_xf_blocks_text",
        "n_head_state_image",
        "n_head_image",
        "n_xf_blocks_image",
    ),
)
