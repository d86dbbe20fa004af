"""Pictures that move without a kernel: self-contained HTML for the book, JupyterLab and Colab.

`toy_model_explorable` draws a grid of trained toy models, `sae_encoder_explorable` one latent of
SAEs that differ in λ, `pareto_explorable` the fronts of several architectures,
`matching_pursuit_explorable` a pursuit on a tree of features, `measures_explorable` counts of
features against the truth; `explorable` and `Slider` are the base of every such picture: Python
gives the numbers, a drawing script of this folder draws them.
"""

from course_lib.widgets.explorable import Explorable, Slider, explorable
from course_lib.widgets.matching_pursuit import matching_pursuit_explorable
from course_lib.widgets.measures import measures_explorable
from course_lib.widgets.pareto import pareto_explorable
from course_lib.widgets.sae_encoder import sae_encoder_explorable
from course_lib.widgets.toy_model import toy_model_explorable

__all__ = [
    "Explorable",
    "Slider",
    "explorable",
    "matching_pursuit_explorable",
    "measures_explorable",
    "pareto_explorable",
    "sae_encoder_explorable",
    "toy_model_explorable",
]
