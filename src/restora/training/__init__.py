"""Training of priors. A new kind of training is one file here and one line below."""

from typing import Any

from restora.registry import Registry
from restora.training.amortised import AmortisedTrainer
from restora.training.dictionary import DictionaryTrainer
from restora.training.direct import DirectTrainer
from restora.training.encoder import EncoderTrainer
from restora.training.flow import FlowTrainer
from restora.training.gan import DCGANTrainer
from restora.training.gaussian import GaussianTrainer
from restora.training.lookup import LookupTrainer
from restora.training.loop import Trainer

trainings: Registry[Any] = Registry("kind of training", "restora.trainings")
trainings.register("dcgan", DCGANTrainer)
trainings.register("encoder", EncoderTrainer)
trainings.register("lookup", LookupTrainer)
trainings.register("flow", FlowTrainer)
trainings.register("direct", DirectTrainer)
trainings.register("amortised", AmortisedTrainer)
trainings.register("gaussian", GaussianTrainer)
trainings.register("dictionary", DictionaryTrainer)

__all__ = [
    "AmortisedTrainer",
    "DCGANTrainer",
    "DictionaryTrainer",
    "DirectTrainer",
    "EncoderTrainer",
    "FlowTrainer",
    "GaussianTrainer",
    "LookupTrainer",
    "Trainer",
    "trainings",
]
