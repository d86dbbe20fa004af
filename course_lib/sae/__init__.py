"""Sparse autoencoders: a family of architectures on one base, one trainer, metrics with a truth."""

from course_lib.sae.base import SAE, Loss, squared_error
from course_lib.sae.baselines import PCABaseline, RandomDictionary
from course_lib.sae.batch_topk import BatchTopKSAE
from course_lib.sae.detectors import Detectors, best_detectors
from course_lib.sae.files import load, save
from course_lib.sae.front import Front, score_front, train_front
from course_lib.sae.gated import GatedSAE
from course_lib.sae.gradient_topk import GradientTopKSAE
from course_lib.sae.group_sparse import GroupSparseSAE
from course_lib.sae.heads import head_contributions, head_shares, source_contributions
from course_lib.sae.hierarchy import Absorption, absorption, conditional_orthogonality, splitting
from course_lib.sae.jumprelu import JumpReLUSAE
from course_lib.sae.matching_pursuit import MatchingPursuitSAE, Pursuit
from course_lib.sae.matryoshka import MatryoshkaSAE
from course_lib.sae.metrics import (
    dead_share,
    density,
    density_histogram,
    fvu,
    l0,
    reconstruction_bias,
)
from course_lib.sae.p_anneal import PAnnealSAE
from course_lib.sae.recovery import (
    Match,
    Support,
    match,
    mean_max_cosine_similarity,
    shrinkage,
    support,
    universality,
)
from course_lib.sae.relu import ReLUSAE
from course_lib.sae.semi_nmf import SemiNMF
from course_lib.sae.specificity import (
    Specificity,
    Twins,
    near_duplicates,
    precision_by_decile,
    specificity,
    tell_apart,
)
from course_lib.sae.spectral import SpectralSAE, resample_grid
from course_lib.sae.splicing import Downstream, downstream
from course_lib.sae.threshold import ThresholdSAE
from course_lib.sae.topk import TopKSAE
from course_lib.sae.trainer import Trainer
from course_lib.sae.transcoder import Transcoder
from course_lib.sae.views import modality_score, retrieval_at_k, same_latent, support_jaccard

__all__ = [
    "SAE",
    "Absorption",
    "BatchTopKSAE",
    "Detectors",
    "Downstream",
    "Front",
    "GatedSAE",
    "GradientTopKSAE",
    "GroupSparseSAE",
    "JumpReLUSAE",
    "Loss",
    "Match",
    "MatchingPursuitSAE",
    "MatryoshkaSAE",
    "PAnnealSAE",
    "PCABaseline",
    "Pursuit",
    "RandomDictionary",
    "ReLUSAE",
    "SemiNMF",
    "Specificity",
    "SpectralSAE",
    "Support",
    "ThresholdSAE",
    "TopKSAE",
    "Trainer",
    "Transcoder",
    "Twins",
    "absorption",
    "best_detectors",
    "conditional_orthogonality",
    "dead_share",
    "density",
    "density_histogram",
    "downstream",
    "fvu",
    "head_contributions",
    "head_shares",
    "l0",
    "load",
    "match",
    "mean_max_cosine_similarity",
    "modality_score",
    "near_duplicates",
    "precision_by_decile",
    "reconstruction_bias",
    "resample_grid",
    "retrieval_at_k",
    "same_latent",
    "save",
    "score_front",
    "shrinkage",
    "source_contributions",
    "specificity",
    "splitting",
    "squared_error",
    "support",
    "support_jaccard",
    "tell_apart",
    "train_front",
    "universality",
]
