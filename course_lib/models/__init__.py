"""The models of the course, batched over instances.

The toy models of superposition, a network with or without negative weights, and one that answers
from the few inputs it attends to.
"""

from course_lib.models.attention import TopKAttention
from course_lib.models.mlp import MLP
from course_lib.models.toy import ToyModel

__all__ = ["MLP", "TopKAttention", "ToyModel"]
