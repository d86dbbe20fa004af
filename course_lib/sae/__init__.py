"""Sparse autoencoders: a family of architectures on one base, one trainer, metrics with a truth."""

from course_lib.sae.base import SAE, Loss, squared_error
from course_lib.sae.batch_topk import BatchTopKSAE
from course_lib.sae.files import load, save
from course_lib.sae.gated import GatedSAE
from course_lib.sae.jumprelu import JumpReLUSAE
from course_lib.sae.matryoshka import MatryoshkaSAE
from course_lib.sae.p_anneal import PAnnealSAE
from course_lib.sae.relu import ReLUSAE
from course_lib.sae.threshold import ThresholdSAE
from course_lib.sae.topk import TopKSAE
from course_lib.sae.trainer import Trainer

__all__ = [
    "SAE",
    "BatchTopKSAE",
    "GatedSAE",
    "JumpReLUSAE",
    "Loss",
    "MatryoshkaSAE",
    "PAnnealSAE",
    "ReLUSAE",
    "ThresholdSAE",
    "TopKSAE",
    "Trainer",
    "load",
    "save",
    "squared_error",
]
