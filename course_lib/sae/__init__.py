"""Sparse autoencoders: a family of architectures on one base, one trainer, metrics with a truth."""

from course_lib.sae.base import SAE, Loss, squared_error
from course_lib.sae.files import load, save
from course_lib.sae.relu import ReLUSAE
from course_lib.sae.topk import TopKSAE
from course_lib.sae.trainer import Trainer

__all__ = ["SAE", "Loss", "ReLUSAE", "TopKSAE", "Trainer", "load", "save", "squared_error"]
