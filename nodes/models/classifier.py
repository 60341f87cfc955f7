"""Classifiers of noisy pictures on a wire."""

from functools import cached_property
from typing import ClassVar

from torch import Tensor

from nodes.diffusion.schedule import Schedule, schedule
from nodes.models.handle import Model
from nodes.networks.config import ClassifierConfig
from nodes.networks.unet import classifier


class Classifier(Model[ClassifierConfig, classifier.Classifier]):
    """A handle of a classifier of noisy pictures."""

    guides: ClassVar[bool] = True

    def build(self) -> classifier.Classifier:
        return classifier.Classifier(self.config)

    @property
    def image_size(self) -> int:
        return self.config.trunk.image_size

    @cached_property
    def trained(self) -> Schedule:
        """The chain whose noise the classifier knows."""
        trained = self.config.trunk.trained
        return schedule(trained.schedule, trained.train_steps)  # type: ignore[arg-type]

    def logits(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Logits [B, classes] of noisy pictures x_t [B, C, H, W] at trained timesteps t [B]."""
        return self.module()(x_t, t)
