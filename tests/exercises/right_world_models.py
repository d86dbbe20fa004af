"""Right answers to the exercises of "World models", written unlike the solutions."""

import torch
import torch.nn.functional as F


def whose_in_a_loop(board, player):
    seen = torch.empty_like(board)
    for game in range(len(board)):
        for move in range(board.shape[1]):
            turn = player[game, move]
            row = board[game, move]
            seen[game, move] = torch.where(row == turn, 0, 1)
            seen[game, move][row == 2] = 2
    return seen


def whose_by_arithmetic(board, player):
    turn = player[..., None]
    flipped = board + turn - 2 * board * turn
    return flipped * (board < 2) + 2 * (board == 2)


def line_by_closed_form(p):
    shares = sorted(p.flatten().tolist())
    return sum(shares[1:]), 16 / sum(1 / share for share in shares)


def line_by_weighted_least_squares(p):
    signs = torch.tensor([[1.0, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1]], dtype=torch.double)
    colour, w = signs[:, 1] * signs[:, 2], p.flatten().double()
    gram, moment = signs.T @ (w[:, None] * signs), signs.T @ (w * colour)
    left = colour - signs @ torch.linalg.solve(gram, moment)
    return 1 - p.min(), (w * left.square()).sum()


def line_by_cutting_each_corner(p):
    total, rarest = p.sum(), min(p.flatten())
    return torch.stack([total - corner for corner in p.flatten()]).max(), 16 * rarest / (
        (rarest / p).sum()
    )


def codes_by_the_pseudo_inverse(x, board):
    holds = F.one_hot(board, 3).flatten(1).double()
    design = torch.cat([torch.ones(len(x), 1).double(), holds], dim=1)
    code = (torch.linalg.pinv(design) @ x.double())[1:].view(board.shape[1], 3, -1)
    return code - code.mean(1, keepdim=True)


def codes_by_back_fitting(x, board):
    n_cells = board.shape[1]
    code = torch.zeros(n_cells, 3, x.shape[1], dtype=torch.double)
    for _ in range(300):
        for c in range(n_cells):
            others = sum(code[o, board[:, o]] for o in range(n_cells) if o != c)
            left = x.double() - others
            left = left - left.mean(0)
            code[c] = torch.stack([left[board[:, c] == k].mean(0) for k in range(3)])
    return code - code.mean(1, keepdim=True)


def codes_relative_to_empty_then_centred(x, board):
    two = F.one_hot(board, 3)[:, :, :2].flatten(1).double()
    design = torch.cat([torch.ones(len(x), 1).double(), two], dim=1)
    two_codes = torch.linalg.lstsq(design, x.double()).solution[1:].view(board.shape[1], 2, -1)
    code = torch.cat([two_codes, torch.zeros_like(two_codes[:, :1])], dim=1)
    return code - code.mean(1, keepdim=True)


def wrong_moves_in_sets(law, legal):
    counts = []
    for p, fine in zip(law, legal, strict=True):
        may = set(fine.nonzero()[:, 0].tolist())
        said = set(p.topk(len(may)).indices.tolist())
        counts.append(len(said ^ may))
    return torch.tensor(counts)


def wrong_moves_by_sorting(law, legal):
    sorted_legal = legal.gather(1, law.argsort(dim=1, descending=True)).double()
    n = legal.sum(1)
    hits = sorted_legal.cumsum(1).gather(1, (n - 1)[:, None])[:, 0]
    return 2 * (n - hits)


def success_with_indices(success, chosen):
    choose, score = chosen.nonzero()[:, 0], (~chosen).nonzero()[:, 0]
    best = success[:, choose].sum(1).argmax()
    return success[best][score].mean().item()


def success_by_masking(success, chosen):
    means = [row[chosen].mean().item() for row in success]
    row = success[means.index(max(means))]
    return (row * ~chosen).sum() / (~chosen).sum()


def unread_by_svd(x, W_U, gain):
    rows = (W_U * gain).double()
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows - rows.mean(0)
    _, size, basis = torch.linalg.svd(rows, full_matrices=False)
    basis = basis[size > 1e-9 * size[0]]
    centred = x.double() - x.double().mean(1, keepdim=True)
    return centred - centred @ basis.T @ basis


def unread_by_least_squares(x, W_U, gain):
    rows = (W_U - W_U.mean(0)).double() * gain
    read = torch.cat([torch.ones(1, x.shape[1]).double(), rows[1:]]).T
    weights = torch.linalg.lstsq(read, x.double().T).solution
    return (x.double().T - read @ weights).T


RIGHT = {
    "world_models.whose": [whose_in_a_loop, whose_by_arithmetic],
    "world_models.best_line": [
        line_by_closed_form,
        line_by_weighted_least_squares,
        line_by_cutting_each_corner,
    ],
    "world_models.cell_codes": [
        codes_by_the_pseudo_inverse,
        codes_by_back_fitting,
        codes_relative_to_empty_then_centred,
    ],
    "world_models.wrong_moves": [wrong_moves_in_sets, wrong_moves_by_sorting],
    "world_models.honest_success": [success_with_indices, success_by_masking],
    "world_models.unread": [unread_by_svd, unread_by_least_squares],
}
