"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class WrongAnswer:
    answer: Callable[..., Any]
    says: str

    @property
    def name(self) -> str:
        return self.answer.__name__


WRONG: dict[str, list[WrongAnswer]] = {}


def wrong(exercise: str, says: str) -> Callable:
    def register(answer: Callable) -> Callable:
        WRONG.setdefault(f"inside_a_transformer.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- best_threshold ----------------------------------------------------------------------------


def _f1(says, present):
    return 2 * (says & present).sum() / (says.sum() + present.sum()).clamp(min=1)


def _search(unit, present, score=_f1, thresholds=None, report=None):
    tried = unit.unique() if thresholds is None else thresholds
    scores = torch.stack([score(unit > t, present) for t in tried])
    best = tried[scores.argmax()]
    return best, scores.max() if report is None else report(unit > best, present)


def _accuracy(says, present):
    return (says == present).float().mean()


def _precision(says, present):
    return (says & present).sum() / says.sum().clamp(min=1)


def _recall(says, present):
    return (says & present).sum() / present.sum()


@wrong("best_threshold", says="an F1 of")
def ties_are_split(unit, present):
    """After sorting, a threshold may lie between any two tokens."""
    order = (unit + 1e-6 * present).argsort(descending=True)
    hits = present[order].cumsum(0)[:-1]
    f1 = 2 * hits / (torch.arange(1, len(unit)) + present.sum())
    best = int(f1.argmax())
    return unit[order[best + 1]], f1[best]


@wrong("best_threshold", says="that is what `unit >= threshold` gives")
def threshold_itself_counts(unit, present):
    """The unit says yes from the threshold on."""
    tried = unit.unique()[1:]
    scores = torch.stack([_f1(unit >= t, present) for t in tried])
    return tried[scores.argmax()], scores.max()


@wrong("best_threshold", says="that is the accuracy")
def accuracy_instead_of_f1(unit, present):
    """The best detector is right most often."""
    return _search(unit, present, _accuracy)


@wrong("best_threshold", says="that is the precision")
def precision_alone(unit, present):
    """When it says yes, it should be right."""
    return _search(unit, present, _precision)


@wrong("best_threshold", says="that is the recall")
def recall_alone(unit, present):
    """It should miss nothing."""
    return _search(unit, present, _recall)


@wrong("best_threshold", says="the 2 is missing")
def no_factor_two(unit, present):
    """Hits over all that was said and all that was there."""
    threshold, f1 = _search(unit, present)
    return threshold, f1 / 2


@wrong("best_threshold", says="has F1")
def best_accuracy_with_its_f1(unit, present):
    """Search by accuracy and report F1."""
    return _search(unit, present, _accuracy, report=_f1)


@wrong("best_threshold", says="your threshold 0.000 has F1")
def active_at_all(unit, present):
    """A latent says yes when it is above 0."""
    return 0.0, _f1(unit > 0, present)


@wrong("best_threshold", says="has F1")
def midway_between_the_means(unit, present):
    """The threshold lies between the two groups."""
    threshold = (unit[present].mean() + unit[~present].mean()) / 2
    return threshold, _f1(unit > threshold, present)


@wrong("best_threshold", says="has F1")
def grid_of_ten(unit, present):
    """Ten thresholds between the lowest and the highest value."""
    low, high = unit.min().item(), unit.max().item()
    return _search(unit, present, thresholds=torch.linspace(low, high, 10))


@wrong("best_threshold", says="has F1")
def positive_thresholds_only(unit, present):
    """A threshold lies between 0 and 1."""
    return _search(unit, present, thresholds=torch.linspace(0, 1, 101))


@wrong("best_threshold", says="has F1")
def highest_token_never_alone(unit, present):
    """A detector needs two tokens at least."""
    return _search(unit, present, thresholds=unit.unique()[:-2])


@wrong("best_threshold", says="leave some out")
def always_yes_allowed(unit, present):
    """Every threshold counts, also one below all values."""
    return _search(unit, present, thresholds=torch.cat([unit.min()[None] - 1, unit.unique()]))


@wrong("best_threshold", says="return two numbers, (threshold, f1)")
def f1_alone(unit, present):
    """The score is what is wanted."""
    return _search(unit, present)[1]


# --- by_head -----------------------------------------------------------------------------------


def _parts(x, W_enc, n_heads):
    rows = W_enc.unflatten(0, (n_heads, -1))
    return torch.einsum("bhd,hdj->bhj", x.unflatten(-1, (n_heads, -1)), rows)


@wrong("by_head", says="b_dec is missing")
def decoder_bias_forgotten(x, W_enc, b_enc, b_dec, n_heads):
    """The rest is the encoder's bias."""
    return _parts(x, W_enc, n_heads), b_enc


@wrong("by_head", says="b_enc is missing")
def encoder_bias_forgotten(x, W_enc, b_enc, b_dec, n_heads):
    """The rest is what the centre takes away."""
    return _parts(x, W_enc, n_heads), -b_dec @ W_enc


@wrong("by_head", says="b_dec is added, and it is to be subtracted")
def decoder_bias_added(x, W_enc, b_enc, b_dec, n_heads):
    """Biases are added."""
    return _parts(x, W_enc, n_heads), b_enc + b_dec @ W_enc


@wrong("by_head", says="each of your heads has a share of b_enc")
def bias_dealt_out(x, W_enc, b_enc, b_dec, n_heads):
    """What is left over is shared among the heads."""
    return _parts(x, W_enc, n_heads) + b_enc / n_heads, -b_dec @ W_enc


@wrong("by_head", says="b_enc is in it 4 times")
def bias_in_every_head(x, W_enc, b_enc, b_dec, n_heads):
    """Each head has the encoder's bias."""
    return _parts(x, W_enc, n_heads) + b_enc, b_enc - b_dec @ W_enc


@wrong("by_head", says="the heads stand side by side")
def heads_interleaved(x, W_enc, b_enc, b_dec, n_heads):
    """Every n_heads-th number is head 0's."""
    rows = W_enc.unflatten(0, (-1, n_heads))
    parts = torch.einsum("bdh,dhj->bhj", x.unflatten(-1, (-1, n_heads)), rows)
    return parts, b_enc - b_dec @ W_enc


@wrong("by_head", says="you have centred x")
def parts_centred(x, W_enc, b_enc, b_dec, n_heads):
    """The encoder sees x - b_dec, and so do the heads."""
    return _parts(x - b_dec, W_enc, n_heads), b_enc


@wrong("by_head", says="in a batch of 6")
def batch_mean_is_the_rest(x, W_enc, b_enc, b_dec, n_heads):
    """What every input gets is the mean over the inputs."""
    parts = _parts(x, W_enc, n_heads)
    mean = parts.mean(dim=0)
    return parts - mean, b_enc - b_dec @ W_enc + mean.sum(dim=0)


@wrong("by_head", says="puts out 0, and its part goes up to")
def what_is_lost_without_the_head(x, W_enc, b_enc, b_dec, n_heads):
    """A head's part is the whole pre-activation but for the other heads' numbers."""
    parts = _parts(x, W_enc, n_heads)
    return parts + (b_enc - b_dec @ W_enc), b_enc - b_dec @ W_enc


@wrong("by_head", says="differ from the definition")
def active_parts_only(x, W_enc, b_enc, b_dec, n_heads):
    """Latents are not negative, so no head adds less than 0."""
    return _parts(x, W_enc, n_heads).relu(), b_enc - b_dec @ W_enc


@wrong("by_head", says="rest: ")
def latents_bias_after_the_activation(x, W_enc, b_enc, b_dec, n_heads):
    """The rest is what an empty input makes active."""
    return _parts(x, W_enc, n_heads), (b_enc - b_dec @ W_enc).relu()


@wrong("by_head", says="return two tensors, (parts, rest)")
def parts_alone(x, W_enc, b_enc, b_dec, n_heads):
    """The rest is nobody's."""
    return _parts(x, W_enc, n_heads)


@wrong("by_head", says="parts it returned the shape [3, 6, 5]")
def heads_first(x, W_enc, b_enc, b_dec, n_heads):
    """One matrix per head."""
    return _parts(x, W_enc, n_heads).transpose(0, 1), b_enc - b_dec @ W_enc


# --- is_news -----------------------------------------------------------------------------------


def _free(present):
    p = present.double().mean(dim=0)
    return 2 * p / (1 + p)


def _news(f1, present, shuffled):
    return (f1 > _free(present)) & (f1 > shuffled.amax(dim=0))


@wrong("is_news", says="that is the share p of the tokens")
def frequency_is_free(f1, present, shuffled):
    """Guessing gets the share of the concept."""
    return present.float().mean(dim=0), _news(f1, present, shuffled)


@wrong("is_news", says="that is the accuracy of the commoner answer")
def commoner_answer(f1, present, shuffled):
    """The baseline is the majority."""
    p = present.float().mean(dim=0)
    return p.maximum(1 - p), _news(f1, present, shuffled)


@wrong("is_news", says="the 2 is missing")
def half_of_it(f1, present, shuffled):
    """Hits over says and present."""
    return _free(present) / 2, _news(f1, present, shuffled)


@wrong("is_news", says="that is what a fair coin gets")
def fair_coin(f1, present, shuffled):
    """Who knows nothing throws a coin."""
    p = present.float().mean(dim=0)
    return p / (0.5 + p), _news(f1, present, shuffled)


@wrong("is_news", says="the recall of a unit that is always on is 1")
def always_on_misses_nothing(f1, present, shuffled):
    """A unit that is always on finds everything."""
    return torch.ones(len(f1)), _news(f1, present, shuffled)


@wrong("is_news", says="differ from counting")
def frequency_of_what_is_absent(f1, present, shuffled):
    """p is the share of tokens without the concept."""
    return _free(~present), _news(f1, present, shuffled)


@wrong("is_news", says="differ from counting")
def one_frequency_for_all(f1, present, shuffled):
    """The concepts are about equally common."""
    return _free(present.flatten()[:, None]).expand(len(f1)), _news(f1, present, shuffled)


@wrong("is_news", says="and you say news")
def one_half_is_chance(f1, present, shuffled):
    """A score above one half is above chance."""
    return _free(present), (f1 > 0.5) & (f1 > shuffled.amax(dim=0))


@wrong("is_news", says="and you say news")
def luck_ignored(f1, present, shuffled):
    """The free score is control enough."""
    return _free(present), f1 > _free(present)


@wrong("is_news", says="and you say news")
def free_score_ignored(f1, present, shuffled):
    """Shuffled labels control for everything."""
    return _free(present), f1 > shuffled.amax(dim=0)


@wrong("is_news", says="and you say news")
def mean_of_the_draws(f1, present, shuffled):
    """Luck is what happens on average."""
    return _free(present), (f1 > _free(present)) & (f1 > shuffled.mean(dim=0))


@wrong("is_news", says="and you say news")
def first_draw(f1, present, shuffled):
    """One shuffle is enough."""
    return _free(present), (f1 > _free(present)) & (f1 > shuffled.amin(dim=0))


@wrong("is_news", says="and you say no news")
def luckiest_of_all_concepts(f1, present, shuffled):
    """One bound for all concepts."""
    return _free(present), (f1 > _free(present).max()) & (f1 > shuffled.max())


@wrong("is_news", says="and you say news")
def either_control(f1, present, shuffled):
    """Beating one control is enough."""
    return _free(present), (f1 > _free(present)) | (f1 > shuffled.amax(dim=0))


@wrong("is_news", says="a tensor of booleans is needed")
def by_how_much(f1, present, shuffled):
    """News is how much is left."""
    return _free(present), f1 - _free(present).maximum(shuffled.amax(dim=0))


@wrong("is_news", says="return two tensors, (free, news)")
def verdict_alone(f1, present, shuffled):
    """The verdict is what counts."""
    return _news(f1, present, shuffled)


# --- ablate ------------------------------------------------------------------------------------


def _read(x, W_enc, b_enc, b_dec):
    return torch.relu((x - b_dec) @ W_enc + b_enc)


def _without(z, latent):
    z = z.clone()
    z[:, latent] = 0
    return z


@wrong("ablate", says="x comes back as it was")
def only_the_encoder_repaired(x, W_enc, b_enc, W_dec, b_dec, latent):
    """The missing b_dec was the only bug."""
    z = _read(x, W_enc, b_enc, b_dec)
    without = z
    without[:, latent] = 0
    return without @ W_dec + b_dec + (x - (z @ W_dec + b_dec))


@wrong("ablate", says="z was read without b_dec")
def only_the_copy_repaired(x, W_enc, b_enc, W_dec, b_dec, latent):
    """The shared tensor was the only bug."""
    z = torch.relu(x @ W_enc + b_enc)
    return _without(z, latent) @ W_dec + b_dec + (x - (z @ W_dec + b_dec))


@wrong("ablate", says="the error is lost")
def error_dropped(x, W_enc, b_enc, W_dec, b_dec, latent):
    """What goes back is the edited reconstruction."""
    return _without(_read(x, W_enc, b_enc, b_dec), latent) @ W_dec + b_dec


@wrong("ablate", says="you add what is to be taken away")
def latent_doubled(x, W_enc, b_enc, W_dec, b_dec, latent):
    """The difference of the two decodings, the other way round."""
    z = _read(x, W_enc, b_enc, b_dec)
    return x + z[:, latent, None] * W_dec[latent]


@wrong("ablate", says="you take the direction out of x")
def direction_projected_out(x, W_enc, b_enc, W_dec, b_dec, latent):
    """An ablation removes the latent's direction."""
    row = W_dec[latent]
    return x - (x @ row)[:, None] * row / row.square().sum()


@wrong("ablate", says="is off on input")
def no_relu(x, W_enc, b_enc, W_dec, b_dec, latent):
    """The latent is its pre-activation."""
    z = (x - b_dec) @ W_enc + b_enc
    return x - z[:, latent, None] * W_dec[latent]


@wrong("ablate", says="is off on input")
def decoder_row_subtracted(x, W_enc, b_enc, W_dec, b_dec, latent):
    """Taking the latent out is taking its row out."""
    return x - W_dec[latent]


@wrong("ablate", says="differ from -z_j d_j")
def encoder_column_subtracted(x, W_enc, b_enc, W_dec, b_dec, latent):
    """What a latent reads is what it writes."""
    return x - _read(x, W_enc, b_enc, b_dec)[:, latent, None] * W_enc[:, latent]


@wrong("ablate", says="the latents without it")
def all_latents_ablated(x, W_enc, b_enc, W_dec, b_dec, latent):
    """Only the error is kept."""
    return x - _read(x, W_enc, b_enc, b_dec) @ W_dec


@wrong("ablate", says="differ from -z_j d_j")
def others_ablated(x, W_enc, b_enc, W_dec, b_dec, latent):
    """The latent alone, with the error."""
    z = _read(x, W_enc, b_enc, b_dec)
    return x - _without(z, latent) @ W_dec


@wrong("ablate", says="differ from -z_j d_j")
def mean_in_its_place(x, W_enc, b_enc, W_dec, b_dec, latent):
    """An ablated latent has its mean."""
    z = _read(x, W_enc, b_enc, b_dec)[:, latent, None]
    return x + (z.mean() - z) * W_dec[latent]


@wrong("ablate", says="differ from -z_j d_j")
def decoder_bias_twice(x, W_enc, b_enc, W_dec, b_dec, latent):
    """The error is x less what the latents write."""
    z = _read(x, W_enc, b_enc, b_dec)
    return _without(z, latent) @ W_dec + b_dec + (x - z @ W_dec)


@wrong("ablate", says="differ from what was added")
def error_halved(x, W_enc, b_enc, W_dec, b_dec, latent):
    """Part of the error is the latent's fault."""
    z = _read(x, W_enc, b_enc, b_dec)
    return _without(z, latent) @ W_dec + b_dec + 0.5 * (x - (z @ W_dec + b_dec))


# --- update ------------------------------------------------------------------------------------


def _plus(m):
    return m.clamp(min=0)


def _ratio(Z, X, W, tiny=1e-12):
    fit, gram = X @ W.T, W @ W.T
    return (_plus(fit) + Z @ _plus(-gram)) / (_plus(-fit) + Z @ _plus(gram) + tiny)


@wrong("update", says="the square root is missing")
def no_root(Z, X, W):
    """The factor is the fraction."""
    return Z * _ratio(Z, X, W)


@wrong("update", says="the fraction stands upside down")
def upside_down(Z, X, W):
    """What is too large goes above the line."""
    return Z / (_ratio(Z, X, W).sqrt() + 1e-12)


@wrong("update", says="yours is the factor alone")
def factor_alone(Z, X, W):
    """The formula after the ring."""
    return _ratio(Z, X, W).sqrt()


@wrong("update", says="some of yours are negative")
def plain_nmf(Z, X, W):
    """Semi-NMF is NMF."""
    return Z * (X @ W.T) / (Z @ W @ W.T + 1e-9)


@wrong("update", says="holds NaN")
def plain_nmf_with_the_root(Z, X, W):
    """NMF's fraction under a root."""
    return Z * ((X @ W.T) / (Z @ W @ W.T)).sqrt()


@wrong("update", says="differ from the definition")
def nmf_of_the_positive_parts(Z, X, W):
    """Negative activations are noise."""
    X, W = _plus(X), _plus(W)
    return Z * ((X @ W.T) / (Z @ W @ W.T + 1e-9)).sqrt()


@wrong("update", says="differ from the definition")
def parts_of_the_factors(Z, X, W):
    """The positive part of a product is the product of the positive parts."""
    fit, gram = _plus(X) @ _plus(W).T, _plus(W) @ _plus(W).T
    less, across = _plus(-X) @ _plus(-W).T, _plus(-W) @ _plus(-W).T
    return Z * ((fit + Z @ across) / (less + Z @ gram + 1e-12)).sqrt()


@wrong("update", says="differ from the definition")
def negative_part_with_its_sign(Z, X, W):
    """[m]₋ is min(m, 0)."""
    fit, gram = X @ W.T, W @ W.T
    ratio = (_plus(fit) - Z @ _plus(-gram)) / (-_plus(-fit) + Z @ _plus(gram) + 1e-12)
    return Z * ratio.clamp(min=0).sqrt()


@wrong("update", says="differ from the definition")
def features_do_not_overlap(Z, X, W):
    """Only the data term has two signs."""
    fit, gram = X @ W.T, W @ W.T
    return Z * (_plus(fit) / (_plus(-fit) + Z @ _plus(gram) + 1e-12)).sqrt()


@wrong("update", says="holds NaN")
def nothing_below_the_line(Z, X, W):
    """The denominator is never 0."""
    return Z * _ratio(Z, X, W, tiny=0.0).sqrt()


@wrong("update", says="entries that were 0 no longer are")
def zeros_woken(Z, X, W):
    """A small number keeps everything above 0."""
    return (Z + 0.01) * _ratio(Z + 0.01, X, W).sqrt()


@wrong("update", says="entries that were 0 no longer are")
def gradient_step(Z, X, W):
    """A step down the gradient, and negative values cut off."""
    return (Z - 0.05 * (Z @ W - X) @ W.T).clamp(min=0)


@wrong("update", says="differ from the definition")
def least_squares_cut_off(Z, X, W):
    """The best Z, with negative values cut off."""
    return (X @ torch.linalg.pinv(W)).clamp(min=0)


@wrong("update", says="Z comes back as it was")
def nothing_changed(Z, X, W):
    """Z is at its optimum already."""
    return Z.clone()


@wrong("update", says="changed its argument `Z` in place")
def in_place(Z, X, W):
    """Z is mine to change."""
    Z *= _ratio(Z, X, W).sqrt()
    return Z


# --- select ------------------------------------------------------------------------------------


def _select(pre, W_dec, gradient, k, beta, score=None, change=None):
    z, along = pre.relu(), gradient @ W_dec.T
    score = z * (1 + beta * along.abs()) if score is None else score
    kept = score.topk(k, dim=-1).indices
    z_kept = torch.zeros_like(z).scatter(-1, kept, z.gather(-1, kept))
    return z_kept, -z * along if change is None else change


@wrong("select", says="times the value")
def score_passed_on(pre, W_dec, gradient, k, beta):
    """What the selection ranks is what it returns."""
    z, along = pre.relu(), gradient @ W_dec.T
    values, kept = (z * (1 + beta * along.abs())).topk(k, dim=-1)
    return torch.zeros_like(z).scatter(-1, kept, values), -z * along


@wrong("select", says="by score it is")
def sign_kept(pre, W_dec, gradient, k, beta):
    """A latent that harms the loss matters less."""
    return _select(pre, W_dec, gradient, k, beta, pre.relu() * (1 + beta * gradient @ W_dec.T))


@wrong("select", says="by score it is")
def leaving_out_must_hurt(pre, W_dec, gradient, k, beta):
    """Only latents whose absence raises the loss are to be kept."""
    score = pre.relu() * (1 - beta * gradient @ W_dec.T)
    return _select(pre, W_dec, gradient, k, beta, score)


@wrong("select", says="those are the largest values")
def norm_of_the_gradient(pre, W_dec, gradient, k, beta):
    """How much it matters is how long the gradient is."""
    score = pre.relu() * (1 + beta * gradient.norm(dim=-1, keepdim=True))
    return _select(pre, W_dec, gradient, k, beta, score)


@wrong("select", says="those are the largest values")
def beta_ignored(pre, W_dec, gradient, k, beta):
    """TopK is TopK."""
    return _select(pre, W_dec, gradient, k, 0.0)


@wrong("select", says="by score it is")
def effect_alone(pre, W_dec, gradient, k, beta):
    """Size does not matter, effect does."""
    score = pre.relu() * (gradient @ W_dec.T).abs()
    return _select(pre, W_dec, gradient, k, beta, score)


@wrong("select", says="by score it is")
def effect_of_the_direction(pre, W_dec, gradient, k, beta):
    """The effect is that of the direction, whatever the latent's value."""
    score = pre.relu() + beta * (gradient @ W_dec.T).abs() * (pre > 0)
    return _select(pre, W_dec, gradient, k, beta, score)


@wrong("select", says="by score it is")
def cosine_instead_of_product(pre, W_dec, gradient, k, beta):
    """Only the angle with the gradient counts."""
    W, g = (m / m.norm(dim=-1, keepdim=True) for m in (W_dec, gradient))
    return _select(pre, W_dec, gradient, k, beta, pre.relu() * (1 + beta * (g @ W.T).abs()))


@wrong("select", says="keeps")
def best_of_the_batch(pre, W_dec, gradient, k, beta):
    """k latents an input on average."""
    z, along = pre.relu(), gradient @ W_dec.T
    score = (z * (1 + beta * along.abs())).flatten()
    kept = torch.zeros_like(score).scatter(0, score.topk(k * len(pre)).indices, 1.0)
    return z * kept.view_as(z), -z * along


@wrong("select", says="it is never negative")
def no_relu_in_the_selection(pre, W_dec, gradient, k, beta):
    """A pre-activation far below 0 with a large effect matters too."""
    along = gradient @ W_dec.T
    kept = (pre.abs() * (1 + beta * along.abs())).topk(k, dim=-1).indices
    return torch.zeros_like(pre).scatter(-1, kept, pre.gather(-1, kept)), -pre.relu() * along


@wrong("select", says="latents that are off have nothing to leave out")
def change_of_the_pre_activation(pre, W_dec, gradient, k, beta):
    """Leaving a latent out takes its pre-activation away."""
    return _select(pre, W_dec, gradient, k, beta, change=-pre * (gradient @ W_dec.T))


@wrong("select", says="yours has the other sign")
def change_of_doubling(pre, W_dec, gradient, k, beta):
    """The change is the latent times its slope."""
    return _select(pre, W_dec, gradient, k, beta, change=pre.relu() * (gradient @ W_dec.T))


@wrong("select", says="yours has no sign")
def change_without_sign(pre, W_dec, gradient, k, beta):
    """The loss can only rise when something is left out."""
    change = pre.relu() * (gradient @ W_dec.T).abs()
    return _select(pre, W_dec, gradient, k, beta, change=change)


@wrong("select", says="the latent's own value is missing")
def slope_alone(pre, W_dec, gradient, k, beta):
    """The change is minus the gradient along the decoder row."""
    return _select(pre, W_dec, gradient, k, beta, change=-gradient @ W_dec.T)


@wrong("select", says="differ from the slope of the loss")
def change_of_what_is_kept(pre, W_dec, gradient, k, beta):
    """Only latents that are kept can be left out."""
    z, _ = _select(pre, W_dec, gradient, k, beta)
    return z, -z * (gradient @ W_dec.T)


@wrong("select", says="return two tensors, (z, change)")
def codes_alone(pre, W_dec, gradient, k, beta):
    """The change is not needed any more."""
    return _select(pre, W_dec, gradient, k, beta)[0]
