"""Answers to problem set 1 that lose points; each docstring names the misconception.

`keeps` is what the answer is still worth: the points of the cases in which it makes no difference.
"""

import torch

from tests.grading.registry import registry

WRONG, wrong = registry()


# --- read_error --------------------------------------------------------------------------------


@wrong("read_error")
def interference_has_no_mean(W, p):
    """Interference is noise, and noise has mean zero."""
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square() @ (p / 3 - p.square() / 4)


@wrong("read_error")
def second_moment_for_variance(W, p):
    """The mean is added to the second moment, and so counted twice."""
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square() @ (p / 3) + (onto @ (p / 2)).square()


@wrong("read_error")
def always_active_magnitudes(W, p):
    """The magnitude of an active feature has variance 1/12, and p scales it."""
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square() @ (p / 12) + (onto @ (p / 2)).square()


@wrong("read_error", keeps=7)
def overlaps_are_cosines(W, p):
    """What one feature reads of another is their cosine."""
    unit = W / W.norm(dim=1, keepdim=True)
    onto = unit @ unit.T - torch.eye(len(W))
    return onto.square() @ (p / 3 - p.square() / 4) + (onto @ (p / 2)).square()


@wrong("read_error", keeps=7)
def divided_by_the_others_length(W, p):
    """The length that divides is that of the feature that interferes."""
    onto = W @ W.T / W.square().sum(dim=1)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square() @ (p / 3 - p.square() / 4) + (onto @ (p / 2)).square()


@wrong("read_error")
def the_feature_itself_interferes(W, p):
    """The sum runs over all features, the one that reads included."""
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    return onto.square() @ (p / 3 - p.square() / 4) + (onto @ (p / 2)).square()


@wrong("read_error")
def squares_of_the_means(W, p):
    """The squared mean of a sum is the sum of the squared means."""
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square() @ (p / 3 - p.square() / 4) + onto.square() @ (p / 2).square()


@wrong("read_error")
def probability_of_the_reader(W, p):
    """It is the probability of the feature that reads that counts."""
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square().sum(dim=1) * (p / 3 - p.square() / 4) + (onto.sum(dim=1) * p / 2).square()


@wrong("read_error", keeps=7)
def divided_by_length_once(W, p):
    """The read-out divides by the length and not by its square."""
    onto = W @ W.T / W.norm(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    return onto.square() @ (p / 3 - p.square() / 4) + (onto @ (p / 2)).square()


# --- toy_losses --------------------------------------------------------------------------------


@wrong("toy_losses")
def mean_over_features(x, W, b, importance):
    """A loss is a mean over everything."""
    x_hat = torch.relu(x @ W @ W.mT + b[:, None])
    return (importance * (x - x_hat).square()).mean(dim=(1, 2))


@wrong("toy_losses", keeps=3)
def sum_over_samples(x, W, b, importance):
    """The batch is summed over, too."""
    x_hat = torch.relu(x @ W @ W.mT + b[:, None])
    return (importance * (x - x_hat).square()).sum(dim=(1, 2))


@wrong("toy_losses")
def importance_squared(x, W, b, importance):
    """The error is weighed, and then squared."""
    x_hat = torch.relu(x @ W @ W.mT + b[:, None])
    return (importance * (x - x_hat)).square().sum(dim=-1).mean(dim=-1)


@wrong("toy_losses")
def no_relu(x, W, b, importance):
    """The way back is linear."""
    x_hat = x @ W @ W.mT + b[:, None]
    return (importance * (x - x_hat).square()).sum(dim=-1).mean(dim=-1)


@wrong("toy_losses")
def bias_after_the_relu(x, W, b, importance):
    """The bias is added last."""
    x_hat = torch.relu(x @ W @ W.mT) + b[:, None]
    return (importance * (x - x_hat).square()).sum(dim=-1).mean(dim=-1)


@wrong("toy_losses", keeps=15)
def decoder_stands_still(x, W, b, importance):
    """The encoder learns, and the decoder copies it."""
    x_hat = torch.relu(x @ W @ W.detach().mT + b[:, None])
    return (importance * (x - x_hat).square()).sum(dim=-1).mean(dim=-1)


@wrong("toy_losses", keeps=15)
def no_gradient_for_the_bias(x, W, b, importance):
    """The bias is a constant."""
    x_hat = torch.relu(x @ W @ W.mT + b.data[:, None])
    return (importance * (x - x_hat).square()).sum(dim=-1).mean(dim=-1)


@wrong("toy_losses", keeps=3)
def one_loss_for_all_models(x, W, b, importance):
    """The models share one loss."""
    x_hat = torch.relu(x @ W @ W.mT + b[:, None])
    return (importance * (x - x_hat).square()).sum(dim=-1).mean().expand(len(W))


@wrong("toy_losses", keeps=20)
def bias_by_sample(x, W, b, importance):
    """The rows of the bias are the rows of the batch, where the axes allow it."""
    back = x @ W @ W.mT
    b = b if len(b) == len(x) else b[:, None]
    return (importance * (x - torch.relu(back + b)).square()).sum(dim=-1).mean(dim=-1)


@wrong("toy_losses")
def no_importance(x, W, b, importance):
    """All features are equally important."""
    x_hat = torch.relu(x @ W @ W.mT + b[:, None])
    return (x - x_hat).square().sum(dim=-1).mean(dim=-1)


@wrong("toy_losses", keeps=22)
def an_axis_of_length_one_goes(x, W, b, importance):
    """Axes of length 1 are in the way."""
    x_hat = torch.relu(x @ W @ W.mT + b[:, None])
    return (importance * (x - x_hat).square()).sum(dim=-1).mean(dim=-1).squeeze()


# --- loudest_rival -----------------------------------------------------------------------------


@wrong("loudest_rival")
def everyone_is_their_own_rival(W):
    """The row's largest entry is the rival."""
    unit = W / W.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T
    return cosine.abs().argmax(dim=1), cosine.abs().max(dim=1).values


@wrong("loudest_rival")
def only_the_same_side(W):
    """Opposite directions do not interfere."""
    unit = W / W.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T - 2 * torch.eye(len(W))
    return cosine.argmax(dim=1), cosine.max(dim=1).values


@wrong("loudest_rival")
def the_sign_is_lost(W):
    """An overlap is a size."""
    unit = W / W.norm(dim=1, keepdim=True)
    cosine = (unit @ unit.T).abs() - 2 * torch.eye(len(W))
    return cosine.argmax(dim=1), cosine.max(dim=1).values


@wrong("loudest_rival", keeps=10)
def the_longest_is_the_loudest(W):
    """Dot products say who is in line."""
    onto = W @ W.T
    rival = (onto.abs() - 1e6 * torch.eye(len(W))).argmax(dim=1)
    return rival, onto.gather(1, rival[:, None])[:, 0]


@wrong("loudest_rival", keeps=10)
def divided_by_one_length(W):
    """Only the direction that reads is normalised."""
    onto = W / W.norm(dim=1, keepdim=True) @ W.T
    rival = (onto.abs() - 1e6 * torch.eye(len(W))).argmax(dim=1)
    return rival, onto.gather(1, rival[:, None])[:, 0]


@wrong("loudest_rival")
def the_quietest(W):
    """The rival is the one that is most nearly at right angles."""
    unit = W / W.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T
    rival = cosine.abs().argmin(dim=1)
    return rival, cosine.gather(1, rival[:, None])[:, 0]


@wrong("loudest_rival")
def the_pair_of_the_whole_dictionary(W):
    """The largest overlap of all stands for every feature."""
    unit = W / W.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T - torch.eye(len(W))
    k = cosine.abs().argmax()
    pair = torch.stack([k // len(W), k % len(W)])
    return pair[:1].expand(len(W)), cosine.flatten()[k].expand(len(W))


# --- my_numbers: what a student makes of their world -------------------------------------------


def _numbers(W, p):
    unit = W / W.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T - torch.eye(len(W))
    onto = W @ W.T / W.square().sum(dim=1, keepdim=True)
    onto = onto - torch.diag(onto.diagonal())
    error = onto.square() @ (p / 3 - p.square() / 4) + (onto @ (p / 2)).square()
    return cosine, error


@wrong("my_numbers", keeps=10)
def coherence_of_the_same_side(my_W, my_p):
    """The coherence is the largest cosine, not its size."""
    cosine, error = _numbers(my_W, my_p)
    return cosine.max().item() * 0.9, (28 / (12 * 39)) ** 0.5, error.argmax().item()


@wrong("my_numbers", keeps=10)
def mean_overlap_for_coherence(my_W, my_p):
    """The coherence is a mean."""
    cosine, error = _numbers(my_W, my_p)
    return cosine.abs().mean().item(), (28 / (12 * 39)) ** 0.5, error.argmax().item()


@wrong("my_numbers", keeps=11)
def welch_without_the_root(my_W, my_p):
    """The bound is on the squared overlap."""
    cosine, error = _numbers(my_W, my_p)
    return cosine.abs().max().item(), 28 / (12 * 39), error.argmax().item()


@wrong("my_numbers", keeps=11)
def welch_with_n_and_m_exchanged(my_W, my_p):
    """n is the number of dimensions."""
    cosine, error = _numbers(my_W, my_p)
    return cosine.abs().max().item(), (28 / (40 * 11)) ** 0.5, error.argmax().item()


@wrong("my_numbers", keeps=9)
def the_feature_that_suffers_least(my_W, my_p):
    """The smallest error is the worst one."""
    cosine, error = _numbers(my_W, my_p)
    return cosine.abs().max().item(), (28 / (12 * 39)) ** 0.5, error.argmin().item()


@wrong("my_numbers", keeps=4)
def the_world_of_somebody_else(my_W, my_p):
    """It is enough to hand in a neighbour's numbers."""
    generator = torch.Generator().manual_seed(1)
    cosine, _ = _numbers(torch.randn(40, 12, generator=generator), my_p.flip(0))
    return cosine.abs().max().item() + 0.01, (28 / (12 * 39)) ** 0.5, -1
