"""The models of the course. So far: the toy models of superposition, batched over instances."""

from course_lib.models.toy import ToyModel

__all__ = ["ToyModel"]
