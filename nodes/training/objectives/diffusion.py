"""What the training of a denoiser minimises. What conditions it beside x_t is drawn here too: dropped captions, masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodegraph.base.diagnostics import Mismatch
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.losses import min_snr_weight, training_loss
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.process import q_sample
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ddim
from nodes.diffusion.schedule import Schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0
from nodes.diffusion.timesteps import LossSecondMoment
from nodes.models.clip import Clip
from nodes.networks.config import LowResolution, TrainedFor, UNetConfig
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet.network import UNet, masked, upsampled
from nodes.target import Target
from nodes.training.dataset import Batch, Dataset, without
from nodes.training.draws import Draw, draw_for
from nodes.training.frozen import image_embeddings
from nodes.training.objectives.degradation import degraded
from nodes.training.objectives.masks import random_masks
from nodes.training.step import SAMPLES, Objective

STEPS = 20
GUIDANCE = 3.0


@dataclass(frozen=True, slots=True)
class DiffusionObjective(Objective):
    """Predict ε, x_0 or v at random timesteps, one in each stretch of the chain.

    Where the `target` has a learned variance, the VLB terms that train it are added (hybrid loss). `gamma` > 0 weighs the error
    by min-SNR-γ; `dropout`: share of captions that are emptied, or of labels replaced by the last, which stands for none;
    `blur_noise` and `blur`: largest noise and σ of a blur on a low-resolution condition; `clip` embeds the pictures for a
    network that takes CLIP embeddings, and the share `embedding_dropout` is replaced by the learned null; `importance`:
    timesteps are chosen by their losses. A network that takes known pixels gets random masks.
    Ref: Ho et al. 2020, eq. 14; Nichol & Dhariwal 2021, §3.1; Hang et al. 2023; Ho & Salimans 2022, Alg. 1.
    """

    schedule: Schedule
    target: Target = field(default_factory=Target)
    gamma: float = 0.0
    dropout: float = 0.1
    blur_noise: float = 0.0
    blur: float = 0.0
    clip: Clip | None = None
    embedding_dropout: float = 0.0
    importance: bool = False

    def describe(self) -> dict[str, str | int | float]:
        more = {
            "blur": self.blur,
            "clip": self.clip.digest if self.clip else "",
            "embedding_dropout": self.embedding_dropout,
            "importance": self.importance,
        }
        return {
            "kind": "diffusion",
            "schedule": f"{self.schedule.kind}-{len(self.schedule)}",
            "parametrisation": self.target.parametrisation,
            "gamma": self.gamma,
            "learned_variance": self.target.learned_variance,
            "dropout": self.dropout,
            "blur_noise": self.blur_noise,
            **{name: value for name, value in more.items() if value},
        }

    def visits(self) -> LossSecondMoment | None:
        return LossSecondMoment(len(self.schedule)) if self.importance else None

    def check(self, config: object) -> None:
        """Raises Mismatch for a UNet of other outputs or another chain, or that takes none or another CLIP's embeddings."""
        if not isinstance(config, UNetConfig):
            return
        trained, reads = config.trained, config.clip
        if str(self.target) != str(trained):
            raise Mismatch(
                f"this trains {self.target}, the network is one for {trained}",
                port="objective",
                hint="the network's configuration decides: take its objective, or another network",
            )
        check_chain(self.schedule, trained)
        if (reads is None) != (self.clip is None):
            raise Mismatch(
                f"the network takes {'no ' if reads is None else ''}CLIP embeddings",
                port="objective",
                hint="wire an unclip_objective around it" if reads else "no unclip_objective",
            )
        if reads is not None and self.clip is not None:
            check_space(self.clip, reads.space)

    def draws(self, config: object) -> bool:
        return isinstance(config, UNetConfig)

    def sample(
        self, network: nn.Module, dataset: Dataset, captions: Sequence[str] = ()
    ) -> Tensor | None:
        """By 20 steps of DDIM, with guidance 3 where there is an unconditional branch."""
        if not isinstance(network, UNet):
            return None
        device = next(network.parameters()).device
        batch = shown_rows(dataset, captions).to(str(device))
        shape = tuple(batch.signal.shape[1:])
        diffusion = DiffusionNetwork(network, self.schedule, shape, self.target, device)
        with torch.no_grad():
            cond, uncond = (
                Leaf(diffusion, of.conditions(network, batch, draw_for(0, 0, len(batch))))
                for of in (self.dropping(0.0), self.dropping(1.0))
            )
            guided = self.dropout and not network.config.low_resolution
            denoiser = ClipX0(ClassifierFreeGuidance(cond, uncond, GUIDANCE if guided else 1.0))
            start = Start(SeededNoise(0), count=1 if cond.rows == len(batch) else len(batch))
            *_, last = ddim(denoiser, respace(self.schedule, STEPS), start)
        return last.x0.cpu()

    def dropping(self, share: float) -> "DiffusionObjective":
        """The same with another dropout: 0 drops no condition, 1 drops all."""
        return replace(self, dropout=share, embedding_dropout=share, blur_noise=0.0, blur=0.0)

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Loss of each row [B]."""
        x0 = batch.signal
        t = draw.timesteps(len(self.schedule)).to(x0.device)
        noise = draw.normal(x0)
        x_t = q_sample(self.schedule, x0, t, noise)
        output = network(x_t, t, **self.conditions(network, batch, draw)).float()
        terms = training_loss(self.schedule, self.target, "hybrid", (x0, noise), x_t, t, output)
        if not self.gamma:
            return terms["loss"]
        weight = min_snr_weight(self.schedule, self.target.parametrisation, t, self.gamma)
        return weight * terms["mse"] + terms.get("vb", 0.0)

    def conditions(self, network: nn.Module, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """What conditions the network beside x_t: caption, CLIP embedding, label, known pixels, low-resolution picture."""
        if not isinstance(network, UNet):
            return {}
        given: dict[str, Tensor] = {}
        if network.text is not None:
            given |= self.caption(network, batch, draw)
        if network.clip is not None:
            given = together(given, self.embedding(network, batch, draw))
        if network.label_embedding is not None:
            given["embedding"] = network.label_embedding(self.labels(network, batch, draw))
        pixels: list[Tensor] = []
        if network.config.known_pixels:
            masks = random_masks(draw.choice, draw.size, network.config.image_size)[draw.rows]
            pixels.append(masked(batch.signal, masks.to(batch.signal)))
        if network.config.low_resolution:
            pixels.append(self.low_resolution(batch.signal, draw, network.config.low_resolution_as))
        return given | ({"pixels": torch.cat(pixels, 1)} if pixels else {})

    def caption(self, network: UNet, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """Captions as the network's transformer reads them. Raises ValueError for a data set without captions."""
        assert network.text is not None
        if batch.captions is None:
            raise ValueError("the network reads captions, and the data set has none")
        captions = without(batch.captions, draw.uniform() < self.dropout)
        tokens = tokenize(network.text.config, captions)
        device = batch.signal.device
        encoding = network.text(tokens.ids.to(device), tokens.mask.to(device))
        return {"embedding": encoding.pooled, "tokens": encoding.tokens}

    def embedding(self, network: UNet, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """CLIP's embeddings of the pictures as the network reads them. Raises ValueError for an objective without a CLIP."""
        if self.clip is None or network.clip is None:
            raise ValueError(
                "the network takes CLIP embeddings; wire an unclip_objective around the objective"
            )
        dropped = torch.from_numpy(draw.uniform() < self.embedding_dropout).to(batch.signal.device)
        images = image_embeddings(self.clip, batch)  # [B, D]
        encoding = network.clip(torch.where(dropped[:, None], network.clip.null_embedding, images))
        return {"embedding": encoding.embedding, "tokens": encoding.tokens}

    def labels(self, network: UNet, batch: Batch, draw: Draw) -> Tensor:
        """Labels, some of them replaced by the last of the network's. Raises ValueError for a data set without labels."""
        if batch.labels is None or network.config.classes is None:
            raise ValueError("the network takes labels, and the data set has none")
        dropped = torch.from_numpy(draw.uniform() < self.dropout).to(batch.labels.device)
        return batch.labels.masked_fill(dropped, network.config.classes - 1)

    def low_resolution(self, pictures: Tensor, draw: Draw, how: LowResolution) -> Tensor:
        """The pictures made smaller by the network's factor, degraded, and enlarged again as the network does it."""
        size = pictures.shape[-1] // how.factor
        small = F.interpolate(pictures, (size, size), mode="area")
        return upsampled(degraded(small, draw, self.blur_noise, self.blur), pictures.shape[-1], how)


def shown_rows(dataset: Dataset, captions: Sequence[str]) -> Batch:
    """Rows of a data set, with other captions where such are given."""
    count = len(captions) or SAMPLES
    batch = dataset.batch(draw_for(0, 0, count).choice, count)
    return replace(batch, captions=tuple(captions)) if captions else batch


def check_chain(chain: Schedule, trained: TrainedFor) -> None:
    """Raises Mismatch for a chain that is not the one a network is trained for."""
    kind, steps = trained.schedule, trained.train_steps
    if chain.chain != (kind, steps):
        raise Mismatch(
            f"this trains on the chain {chain.kind}-{len(chain)}, the network is one for {kind}-{steps}",
            port="objective",
            hint=f"kind: {kind}, train_steps: {steps}",
        )


def check_space(clip: Clip, space: str) -> None:
    """Raises Mismatch for a CLIP that is not the one whose embeddings a network takes."""
    if clip.config.space != space:
        raise Mismatch(
            f"the network is for the CLIP '{space}', the objective's is '{clip.config.space}'",
            port="objective",
            hint="wire the same CLIP to both",
        )


def together(text: Mapping[str, Tensor], image: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A text and CLIP embeddings of the same rows: embeddings added, tokens behind each other."""
    if not text:
        return dict(image)
    tokens = torch.cat([text["tokens"], image["tokens"].to(text["tokens"].dtype)], 1)
    return {"embedding": text["embedding"] + image["embedding"], "tokens": tokens}
