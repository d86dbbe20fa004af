"""Worlds with planted ground truth.

Laws of sparse features: independent, rare, in correlated and anti-correlated pairs, or on a tree
(`sample(batch_size, generator)` gives [n_instances, batch, n_features]), and the laws that say how
important and how frequent each one is. Dictionaries of directions to write them along. Worlds of
activations made of both, of smooth functions, or of features of two dimensions: `sample` gives x,
`sample_with_features` gives x and the truth of the same draw.

Worlds of tokens: stories in two languages, board games (Othello, the torus game), arithmetic on a
circle (the calendar, moving sums), repeating, tasks shown in context or told in a word, journeys on
a map, clauses whose nouns share first tokens, and captions of scenes that come with a picture.
`sample` gives `Sequences`, tokens with the truth of each (`concepts` asks it token by token);
`log_prob` is the law, and with it the loss that no model can beat. `Retold` gives the stories to a
model of transformers, in its tokens.

Vocabularies: unembedding matrices in which the concepts of every word, or its categories, are
planted.

Questions that a rule over three of many statements answers, or whether two pairs are equal. Fields
of physics, and digits.
"""

from course_lib.data.arithmetic import CalendarArithmetic, MovingWindowSum
from course_lib.data.clicks import ClickLog
from course_lib.data.concepts import Concepts, concepts
from course_lib.data.dictionaries import (
    low_coherence_dictionary,
    paired_dictionary,
    random_dictionary,
)
from course_lib.data.digits import Digits, digits
from course_lib.data.equality import HierarchicalEquality
from course_lib.data.fields import PhysicsFields
from course_lib.data.frequencies import Active, FeatureFrequencies, RareFeatures
from course_lib.data.functions import PlantedFunctions
from course_lib.data.hierarchy import HierarchicalFeatures, tree_dictionary, tree_names
from course_lib.data.in_context import (
    InContextTasks,
    direction_labels,
    permuted_labels,
    two_alphabets,
)
from course_lib.data.instructed import InstructedTasks
from course_lib.data.othello import Othello
from course_lib.data.paired import PairedViews
from course_lib.data.patterns import sparse_patterns, varied_patterns
from course_lib.data.planes import OneFeatureAtATime, planar_points
from course_lib.data.planted import PlantedActivations
from course_lib.data.quiet import QuietLabels
from course_lib.data.repeat import RepeatCopy
from course_lib.data.retold import Retold
from course_lib.data.rules import TripleRules
from course_lib.data.scenes import TwoViewScenes
from course_lib.data.shared_start import SharedStarts
from course_lib.data.sparse import (
    AntiCorrelatedPairs,
    CorrelatedPairs,
    SparseFeatures,
    importance_decay,
    k_sparse_codes,
    power_law_probability,
)
from course_lib.data.story import StoryWorld
from course_lib.data.torus import TorusGame
from course_lib.data.towns import Towns
from course_lib.data.vocabularies import FactorialVocabulary, TreeVocabulary, random_map

__all__ = [
    "Active",
    "AntiCorrelatedPairs",
    "CalendarArithmetic",
    "ClickLog",
    "Concepts",
    "CorrelatedPairs",
    "Digits",
    "FactorialVocabulary",
    "FeatureFrequencies",
    "HierarchicalEquality",
    "HierarchicalFeatures",
    "InContextTasks",
    "InstructedTasks",
    "MovingWindowSum",
    "OneFeatureAtATime",
    "Othello",
    "PairedViews",
    "PhysicsFields",
    "PlantedActivations",
    "PlantedFunctions",
    "QuietLabels",
    "RareFeatures",
    "RepeatCopy",
    "Retold",
    "SharedStarts",
    "SparseFeatures",
    "StoryWorld",
    "TorusGame",
    "Towns",
    "TreeVocabulary",
    "TripleRules",
    "TwoViewScenes",
    "concepts",
    "digits",
    "direction_labels",
    "importance_decay",
    "k_sparse_codes",
    "low_coherence_dictionary",
    "paired_dictionary",
    "permuted_labels",
    "planar_points",
    "power_law_probability",
    "random_dictionary",
    "random_map",
    "sparse_patterns",
    "tree_dictionary",
    "tree_names",
    "two_alphabets",
    "varied_patterns",
]
