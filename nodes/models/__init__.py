"""Models on a wire: handles with a configuration and a digest. Weights are read on first use, by the run's keeper."""

from nodes.models.autoregressive_prior import AR_PRIOR as AR_PRIOR
from nodes.models.autoregressive_prior import ArPrior as ArPrior
from nodes.models.bundle import BUNDLE as BUNDLE
from nodes.models.bundle import Bundle as Bundle
from nodes.models.classifier import CLASSIFIER as CLASSIFIER
from nodes.models.classifier import Classifier as Classifier
from nodes.models.clip import CLIP as CLIP
from nodes.models.clip import Clip as Clip
from nodes.models.embeddings import CLIP_TOKENS as CLIP_TOKENS
from nodes.models.embeddings import ClipImage as ClipImage
from nodes.models.embeddings import ClipText as ClipText
from nodes.models.embeddings import ClipTokens as ClipTokens
from nodes.models.embeddings import Embedding as Embedding
from nodes.models.handle import MissingWeights as MissingWeights
from nodes.models.handle import Model as Model
from nodes.models.handle import from_folder as from_folder
from nodes.models.open_clip import OPEN_CLIP as OPEN_CLIP
from nodes.models.open_clip import OpenClip as OpenClip
from nodes.models.prior import PRIOR as PRIOR
from nodes.models.prior import Prior as Prior
from nodes.models.unet import UNET as UNET
from nodes.models.unet import UNet as UNet
from nodes.models.unet import parse_unet as parse_unet
