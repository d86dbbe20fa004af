"""The models of the course: toy models of superposition and classifiers, side by side."""

from course_lib.models.classifiers import Classifiers, pgd
from course_lib.models.toy import ToyModel

__all__ = ["Classifiers", "ToyModel", "pgd"]
