"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F


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
        WRONG.setdefault(f"world_models.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- whose -------------------------------------------------------------------------------------


@wrong("whose", says="a black stone with White to move is theirs, and you say mine")
def always_black_is_mine(board, player):
    """Black is me."""
    return board.clone()


@wrong("whose", says="with Black to move is mine, and you say theirs")
def seen_by_who_has_moved(board, player):
    """Mine are the stones of the player who has just moved."""
    return torch.where(board == 2, 2, board ^ (1 - player)[..., None])


@wrong("whose", says="an empty cell with White to move is empty, and you say 3")
def exclusive_or_of_everything(board, player):
    """Mine or theirs is the exclusive or."""
    return board ^ player[..., None]


@wrong("whose", says="an empty cell with Black to move is empty, and you say theirs")
def not_mine_is_theirs(board, player):
    """What is not mine is theirs."""
    return (board != player[..., None]).long()


@wrong("whose", says="and you say")
def turns_from_the_number_of_the_move(board, player):
    """Turns alternate, so the number of the move says whose it is."""
    turn = (torch.arange(board.shape[1]) % 2).expand(board.shape[:2])
    return torch.where(board == 2, 2, board ^ turn[..., None])


@wrong("whose", says="and you say")
def one_player_for_a_game(board, player):
    """The player is a game's, not a move's."""
    return torch.where(board == 2, 2, board ^ player[:, :1, None])


@wrong("whose", says="whole numbers 0, 1 and 2 are needed")
def only_whether_it_is_mine(board, player):
    """Mine or not is all that matters."""
    return board == player[..., None]


@wrong("whose", says="it returned the shape")
def last_board_only(board, player):
    """The last move is what is probed."""
    return torch.where(board == 2, 2, board ^ player[..., None])[:, -1]


@wrong("whose", says="and you say")
def colours_of_the_other_games(board, player):
    """One player for a move, in all games."""
    return torch.where(board == 2, 2, board ^ player[:1, :, None])


# --- best_line ---------------------------------------------------------------------------------


def _error(p):
    return 16 / (1 / p).sum()


@wrong("best_line", says="that is one half")
def exclusive_or_is_chance(p):
    """A line gets nothing out of an exclusive or."""
    return 0.5, _error(p)


@wrong("best_line", says="that is what always saying one colour gets")
def majority(p):
    """The best that is left is the commoner colour."""
    black = p[0, 0] + p[1, 1]
    return torch.maximum(black, 1 - black), _error(p)


@wrong("best_line", says="no line gets all four corners")
def all_corners(p):
    """With the right weights a line gets them all."""
    return 1.0, _error(p)


@wrong("best_line", says="that gives up the commonest corner")
def loses_the_commonest(p):
    """One corner is lost, the largest."""
    return 1 - p.max(), _error(p)


@wrong("best_line", says="that is the share that is lost")
def lost_share(p):
    """The share is that of the corner cut off."""
    return p.min(), _error(p)


@wrong("best_line", says="it is never more than 1")
def nothing_ever_explained(p):
    """The exclusive or is uncorrelated with both bits."""
    return 1 - p.min(), 1.0


@wrong("best_line", says="you have fitted the mean alone")
def variance_of_the_colour(p):
    """Without a correlation the error is the variance."""
    mean = p[0, 0] + p[1, 1] - p[0, 1] - p[1, 0]
    return 1 - p.min(), 1 - mean**2


@wrong("best_line", says="that is the variance that the fit explains")
def explained_instead_of_left(p):
    """The part of the variance that is explained."""
    return 1 - p.min(), 1 - _error(p)


@wrong("best_line", says="that is 4 over the sum")
def harmonic_mean_of_the_shares(p):
    """The harmonic mean, 4 over the sum of 1 / p, without its factor."""
    return 1 - p.min(), 4 / (1 / p).sum()


@wrong("best_line", says="that is the smallest share times 4")
def four_times_the_rarest(p):
    """The error is that of the rarest corner."""
    return 1 - p.min(), 4 * p.min()


@wrong("best_line", says="return two numbers, (share, error)")
def share_alone(p):
    """The share is what is asked."""
    return 1 - p.min()


@wrong("best_line", says="of many lines gets")
def error_as_share(p):
    """Half of the error is what is wrong."""
    return 1 - _error(p) / 2, _error(p)


# --- cell_codes --------------------------------------------------------------------------------


def _means(x, board):
    return torch.stack(
        [torch.stack([x[board[:, c] == k].mean(0) for k in range(3)]) for c in range(4)]
    )


def _joint(x, board):
    holds = F.one_hot(board, 3).flatten(1).double()
    centred = holds - holds.mean(0)
    solution = torch.linalg.pinv(centred) @ (x - x.mean(0)).double()
    return solution.view(4, 3, -1)


@wrong("cell_codes", says="those are means over boards, with the neighbours in them")
def raw_means(x, board):
    """A code is the mean over the boards that have it."""
    return _means(x, board)


@wrong("cell_codes", says="with the neighbours in them and their own mean taken off")
def centred_means(x, board):
    """Means, made to sum to 0."""
    means = _means(x, board)
    return means - means.mean(1, keepdim=True)


@wrong("cell_codes", says="less the mean of all")
def means_less_the_mean_of_all(x, board):
    """What is above the mean is the cell's."""
    return _means(x, board) - x.mean(0)


@wrong("cell_codes", says="your codes are relative to empty")
def relative_to_empty(x, board):
    """Empty is 0."""
    code = _joint(x, board)
    return code - code[:, 2:]


@wrong("cell_codes", says="weighted by how often")
def weighted_to_sum_to_zero(x, board):
    """Codes have mean 0 over the data."""
    code = _joint(x, board)
    share = F.one_hot(board, 3).double().mean(0)
    return code - (share[..., None] * code).sum(1, keepdim=True)


@wrong("cell_codes", says="differ from the planted codes")
def without_a_constant(x, board):
    """The one-hot board has a constant in it already."""
    holds = F.one_hot(board, 3).flatten(1).double()
    return (torch.linalg.pinv(holds) @ x.double()).view(4, 3, -1)


@wrong("cell_codes", says="differ from the planted codes")
def board_as_a_number(x, board):
    """0, 1 and 2 are numbers, and one slope will do."""
    centred = (board - 1).double()
    slope = torch.linalg.pinv(centred - centred.mean(0)) @ (x - x.mean(0)).double()
    return slope[:, None] * torch.tensor([-1.0, 0.0, 1.0])[None, :, None]


@wrong("cell_codes", says="differ from the planted codes")
def correlation_with_the_board(x, board):
    """What varies with the cell is the cell's."""
    holds = F.one_hot(board, 3).flatten(1).double()
    centred = holds - holds.mean(0)
    code = (centred.T @ (x - x.mean(0)).double() / len(x)).view(4, 3, -1)
    return code - code.mean(1, keepdim=True)


@wrong("cell_codes", says="half of each")
def half_of_a_step(x, board):
    """From mine to theirs is two codes, so each is a half."""
    return _joint(x, board) / 2


@wrong("cell_codes", says="it must be [4, 3, 6]")
def codes_transposed(x, board):
    """One matrix for each thing."""
    return _joint(x, board).transpose(0, 1)


# --- wrong_moves -------------------------------------------------------------------------------


def _wrong(law, legal):
    rank = law.argsort(dim=1, descending=True).argsort(dim=1)
    likeliest = rank < legal.sum(1, keepdim=True)
    return 2 * (likeliest & ~legal).sum(1).float()


@wrong("wrong_moves", says="and not those that are missing")
def illegal_ones_only(law, legal):
    """An error is an illegal move."""
    return _wrong(law, legal) / 2


@wrong("wrong_moves", says="that is a share of the board's legal moves")
def as_a_share(law, legal):
    """Boards with more moves would count more."""
    return _wrong(law, legal) / legal.sum(1)


@wrong("wrong_moves", says="a threshold of 0.02")
def by_a_threshold(law, legal):
    """A move is played when its probability is above 0.02."""
    return ((law > 0.02) != legal).sum(1).float()


@wrong("wrong_moves", says="that counts illegal moves above 0.02")
def illegal_above_a_threshold(law, legal):
    """Illegal moves that are likely are the errors."""
    return ((law > 0.02) & ~legal).sum(1).float()


@wrong("wrong_moves", says="that looks at the likeliest move alone")
def top_one(law, legal):
    """The model plays its likeliest move."""
    best = law.argmax(1, keepdim=True)
    return 2.0 * (~legal.gather(1, best))[:, 0]


@wrong("wrong_moves", says="you take as many moves on every board")
def one_number_for_all_boards(law, legal):
    """N is the mean number of legal moves."""
    n = int(legal.sum(1).double().mean().round())
    top = torch.zeros_like(legal).scatter(1, law.topk(n, dim=1).indices, True)
    return (top != legal).sum(1).float()


@wrong("wrong_moves", says="that is how many are right")
def right_moves(law, legal):
    """Count those on both sides."""
    return 2 * legal.sum(1) - _wrong(law, legal)


@wrong("wrong_moves", says="it must be [12] = [n]")
def mean_over_boards(law, legal):
    """One number says it."""
    return _wrong(law, legal).mean()


@wrong("wrong_moves", says="differ from counting")
def mass_on_illegal_moves(law, legal):
    """The probability of illegal moves."""
    return (law * ~legal).sum(1)


@wrong("wrong_moves", says="differ from counting")
def least_likely(law, legal):
    """The order of argsort is from the most likely."""
    rank = law.argsort(dim=1).argsort(dim=1)
    return 2 * ((rank < legal.sum(1, keepdim=True)) & ~legal).sum(1).float()


# --- honest_success ----------------------------------------------------------------------------


@wrong("honest_success", says="the best for it")
def a_strength_for_each_scored_case(success, chosen):
    """Only leaving the choosing cases out was missing."""
    return success[:, ~chosen].max(dim=0).values.mean()


@wrong("honest_success", says="the strength is the best on the scored cases")
def chosen_where_it_is_scored(success, chosen):
    """One strength for all, the best on the cases that count."""
    return success[:, ~chosen].mean(1).max()


@wrong("honest_success", says="the strength is the best on all cases, and all are scored")
def one_strength_on_all(success, chosen):
    """One strength for all cases was all that was wrong."""
    return success.mean(1).max()


@wrong("honest_success", says="the cases that choose are scored as well")
def choosing_cases_scored_too(success, chosen):
    """More cases, less noise."""
    return success[success[:, chosen].mean(1).argmax()].mean()


@wrong("honest_success", says="the cases that choose are scored alone")
def scored_where_it_is_chosen(success, chosen):
    """The best on the chosen cases."""
    return success[:, chosen].mean(1).max()


@wrong("honest_success", says="that is the mean over all strengths")
def no_choice(success, chosen):
    """Without a choice there is no luck."""
    return success[:, ~chosen].mean()


@wrong("honest_success", says="you say")
def worst_strength(success, chosen):
    """To be careful, the lowest."""
    return success[success[:, chosen].mean(1).argmin(), ~chosen].mean()


@wrong("honest_success", says="you say")
def mask_the_wrong_way_round(success, chosen):
    """`chosen` are the cases that are scored."""
    return success[success[:, ~chosen].mean(1).argmax(), chosen].mean()


@wrong("honest_success", says="one real number is needed")
def one_number_for_each_case(success, chosen):
    """Cases differ."""
    return success[success[:, chosen].mean(1).argmax(), ~chosen]


# --- unread ------------------------------------------------------------------------------------


def _out_of(x, rows):
    return x - x @ torch.linalg.pinv(rows) @ rows


def _ones(x):
    return torch.ones(1, x.shape[1])


@wrong("unread", says="the gain is missing")
def gain_forgotten(x, W_U, gain):
    """The unembedding is what reads."""
    return _out_of(x, torch.cat([_ones(x), W_U[1:] - W_U[0]]))


@wrong("unread", says="what all rows share is taken out as well")
def every_row_is_read(x, W_U, gain):
    """Each row is read."""
    return _out_of(x, torch.cat([_ones(x), W_U * gain]))


@wrong("unread", says="that is the part that is read")
def the_read_part(x, W_U, gain):
    """The projection on the rows."""
    centred = x - x.mean(1, keepdim=True)
    rows = W_U * gain
    return centred - _out_of(x, torch.cat([_ones(x), rows[1:] - rows[0]]))


@wrong("unread", says="your part has a mean")
def mean_left_in(x, W_U, gain):
    """Layer norm takes care of the mean."""
    rows = W_U * gain
    return _out_of(x, rows - rows.mean(0))


@wrong("unread", says="they cannot be taken out one by one")
def row_by_row(x, W_U, gain):
    """Take each row's direction out."""
    unit = F.normalize(W_U * gain, dim=1)
    return x - x @ unit.T @ unit


@wrong("unread", says="x is centred and nothing else")
def only_centred(x, W_U, gain):
    """What layer norm takes away is unread."""
    return x - x.mean(1, keepdim=True)


@wrong("unread", says="all but 0")
def nothing_is_unread(x, W_U, gain):
    """A trained network uses everything."""
    return torch.zeros_like(x)


@wrong("unread", says="differ from the definition")
def mean_alone(x, W_U, gain):
    """Only the mean over the coordinates is thrown away."""
    rows = W_U * gain
    part = _out_of(x, torch.cat([_ones(x), rows[1:] - rows[0]]))
    return part / part.norm(dim=1, keepdim=True)


@wrong("unread", says="still differ from each other")
def smallest_directions_of_the_unembedding(x, W_U, gain):
    """What the unembedding reads least is not read."""
    basis = torch.linalg.svd(W_U * gain, full_matrices=True).Vh[3:]
    part = x @ basis.T @ basis
    return part - part.mean(1, keepdim=True)


@wrong("unread", says="it must be [6, 12]")
def in_coordinates_of_a_basis(x, W_U, gain):
    """The coordinates in a basis of the unread space."""
    rows = torch.cat([_ones(x), (W_U - W_U[0])[1:] * gain])
    basis = torch.linalg.svd(rows, full_matrices=True).Vh[len(rows) :]
    return x @ basis.T
