"""The models of the course.

Toy models of superposition, classifiers, a network with or without negative weights and one that
answers from the few inputs it attends to, all batched over instances; a GPT that reads in one
sitting, a GRU that reads and then writes, a small convolutional network; one trainer for these
three. `load(name)` gives those that come with the course trained, `card(name)` what is known of
them, `open_world(name)` a language model and the documents it is asked about.
"""

from course_lib.models.attention import TopKAttention
from course_lib.models.classifiers import Classifiers, pgd
from course_lib.models.cnn import CNN, CNNConfig
from course_lib.models.gpt import GPT, GPTConfig, KVCache
from course_lib.models.gru import GRU, GRUConfig
from course_lib.models.mlp import MLP
from course_lib.models.toy import ToyModel
from course_lib.models.training import Trainer
from course_lib.models.zoo import Card, card, load, names, open_world

__all__ = [
    "CNN",
    "GPT",
    "GRU",
    "MLP",
    "CNNConfig",
    "Card",
    "Classifiers",
    "GPTConfig",
    "GRUConfig",
    "KVCache",
    "TopKAttention",
    "ToyModel",
    "Trainer",
    "card",
    "load",
    "names",
    "open_world",
    "pgd",
]
