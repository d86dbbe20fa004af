"""The models of the course: toy models of superposition and classifiers, side by side."""

from course_lib.models.mlp import MLPs, pgd
from course_lib.models.toy import ToyModel

__all__ = ["MLPs", "ToyModel", "pgd"]
