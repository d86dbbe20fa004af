"""Pictures that move without a kernel: self-contained HTML for the book, JupyterLab and Colab.

`toy_model_explorable` draws a grid of trained toy models, `sae_encoder_explorable` one latent of
SAEs that differ in λ, `pareto_explorable` the fronts of several architectures,
`matching_pursuit_explorable` a pursuit on a tree of features, `directions_explorable` directions
in the plane and on the sphere that the reader drags, `scaling_law_explorable` losses that fall with
size, `measures_explorable` counts of features against the truth, `superdiff_explorable` particles
that two diffusion models steer, `coordinates_explorable` one model in other coordinates,
`probe_map_explorable` what probes read at every layer and token, `board_explorable` a board that a
model keeps and the reader edits, `day_circle_explorable` a day on its circle inside a model,
`patch_direction_explorable` a patching direction in three neurons, `steering_map_explorable` a
vector by layer and strength, `quantile_strip_explorable` a latent's firings from the strongest
down;
`latent_dashboard` lets one search the latents of an SAE.
`explorable` and `Slider` are the base of every such picture: Python
gives the numbers, a drawing script of this folder draws them.

`watch` is the one that needs a kernel: its buttons train a model while the reader looks on, and
where no reader is there (`front_end.live`) it gives a still picture.
"""

from course_lib.widgets.board import board_explorable
from course_lib.widgets.coordinates import Rewritten, coordinates_explorable
from course_lib.widgets.day_circle import day_circle_explorable
from course_lib.widgets.directions import directions_explorable
from course_lib.widgets.explorable import Explorable, Slider, explorable
from course_lib.widgets.latents import latent_dashboard
from course_lib.widgets.matching_pursuit import matching_pursuit_explorable
from course_lib.widgets.measures import measures_explorable
from course_lib.widgets.pareto import pareto_explorable
from course_lib.widgets.patch_direction import patch_direction_explorable
from course_lib.widgets.probe_map import probe_map_explorable
from course_lib.widgets.quantile_strip import Strip, quantile_strip_explorable
from course_lib.widgets.sae_encoder import sae_encoder_explorable
from course_lib.widgets.scaling_law import scaling_law_explorable
from course_lib.widgets.steering_map import steering_map_explorable
from course_lib.widgets.superdiff import superdiff_explorable
from course_lib.widgets.toy_model import toy_model_explorable
from course_lib.widgets.watch import Setting, watch

__all__ = [
    "Explorable",
    "Rewritten",
    "Setting",
    "Slider",
    "Strip",
    "board_explorable",
    "coordinates_explorable",
    "day_circle_explorable",
    "directions_explorable",
    "explorable",
    "latent_dashboard",
    "matching_pursuit_explorable",
    "measures_explorable",
    "pareto_explorable",
    "patch_direction_explorable",
    "probe_map_explorable",
    "quantile_strip_explorable",
    "sae_encoder_explorable",
    "scaling_law_explorable",
    "steering_map_explorable",
    "superdiff_explorable",
    "toy_model_explorable",
    "watch",
]
