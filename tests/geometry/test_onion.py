"""Each account of a memory can edit a memory that is built that way, and not the others."""

import pytest
import torch

from course_lib.geometry.onion import (
    FreeCodes,
    OnionCode,
    PlaceSubspaces,
    additive_codes,
    draw_replacements,
    edits_right,
    fit_edit,
    subspace_overlap,
)
from course_lib.runtime import generator

V, L = 4, 3


class PlantedMemory:
    """state = Σ codes[place, symbol]; writing picks, place by place, the nearest of all symbols.

    Exact for codes that sequences can be told apart by: it compares with every sequence there is.
    """

    def __init__(self, codes: torch.Tensor) -> None:
        self.codes = codes
        self.sequences = torch.cartesian_prod(*[torch.arange(V)] * L)
        self.states = self.encode(self.sequences)

    def encode(self, tokens):
        return self.codes[torch.arange(L), tokens].sum(1)

    def decode(self, state, tokens):
        """Each symbol's own distribution; what was written before it is not used."""
        logits = -2 * torch.cdist(state, self.states).square()
        of_symbol = [[self.sequences[:, j] == v for v in range(V)] for j in range(L)]
        return torch.stack(
            [torch.stack([logits[:, s].logsumexp(1) for s in row], 1) for row in of_symbol], 1
        )

    def write(self, state, first, n_new):
        return self.sequences[torch.cdist(state, self.states).argmin(1)]


def separate(d: int = 12) -> torch.Tensor:
    """A subspace of 4 dimensions for each place, turned."""
    codes = torch.zeros(L, V, d)
    for j in range(L):
        codes[j, :, 4 * j : 4 * j + 4] = torch.eye(V)
    return codes @ torch.linalg.qr(torch.randn(d, d, generator=generator(0)))[0]


def onion(d: int = 6) -> torch.Tensor:
    """One code in too few dimensions for three, at sizes 1, 1/2 and 1/4."""
    code = torch.randn(V, d, generator=generator(1))
    return torch.stack([code * 0.5**j for j in range(L)])


def unrelated(d: int = 6) -> torch.Tensor:
    """A code of its own for each place, in too few dimensions."""
    return torch.randn(L, V, d, generator=generator(2))


def fitted(kind, codes, lr, **settings):
    memory = PlantedMemory(codes)
    edit = kind(codes.shape[2], V, L, **settings)
    fit_edit(edit, memory, V, L, steps=150, lr=lr, batch_size=64)
    drawn = draw_replacements(memory, V, L, 300, generator(7))
    return edits_right(edit, memory, drawn, V).float().mean().item()


@pytest.mark.parametrize(
    ("kind", "make", "lr", "works"),
    [
        (PlaceSubspaces, separate, 0.05, True),
        (PlaceSubspaces, onion, 0.05, False),
        (OnionCode, onion, 0.05, True),
        (OnionCode, unrelated, 0.05, False),
        (FreeCodes, separate, 0.05, True),
        (FreeCodes, unrelated, 0.05, True),
    ],
)
def test_an_account_edits_the_memories_that_it_describes(kind, make, lr, works):
    right = fitted(kind, make(), lr)
    assert right > 0.9 if works else right < 0.7


def test_a_replacement_is_what_it_says():
    memory = PlantedMemory(onion())
    drawn = draw_replacements(memory, V, L, 200, generator(0))
    row = torch.arange(200)
    assert (drawn.old != drawn.new).all()
    assert (drawn.wanted[row, drawn.place] == drawn.new).all()
    before = drawn.wanted.clone()
    before[row, drawn.place] = drawn.old
    torch.testing.assert_close(memory.encode(before), drawn.state)


def test_scales_of_an_onion_follow_its_formula():
    edit = OnionCode(5, V, L)
    torch.nn.init.normal_(edit.slope, generator=generator(0))
    for j in range(L):
        expected = edit.gain * edit.log_gamma.exp() ** j + edit.slope * j + edit.offset
        torch.testing.assert_close(edit.scales()[j], expected)


def test_additive_codes_are_found_although_the_indicators_are_dependent():
    codes = torch.randn(L, V, 6, generator=generator(0))
    codes = codes - codes.mean(1, keepdim=True)
    tokens = torch.randint(V, (500, L), generator=generator(1))
    states = 3 + codes[torch.arange(L), tokens].sum(1)
    found = additive_codes(states, tokens, V, ridge=1e-6)
    assert found.r2 > 0.9999
    torch.testing.assert_close(found.codes, codes, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.predict(tokens), states, atol=5e-3, rtol=0)


def test_states_that_do_not_depend_on_the_symbols_are_not_explained():
    tokens = torch.randint(V, (4000, L), generator=generator(1))
    states = torch.randn(4000, 6, generator=generator(2))
    assert abs(additive_codes(states, tokens, V).r2) < 0.01


def test_a_state_that_multiplies_its_symbols_is_not_additive():
    tokens = torch.randint(2, (4000, 2), generator=generator(1))
    states = (2.0 * tokens - 1).prod(1, keepdim=True).repeat(1, 3)
    assert additive_codes(states, tokens, 2).r2 < 0.01


def test_overlap_is_1_within_0_across_and_its_share_of_dimensions_by_chance():
    eye = torch.eye(8)
    assert subspace_overlap(eye[:2], eye[:4]) == pytest.approx(1.0)
    assert subspace_overlap(eye[:3], eye[3:]) == pytest.approx(0.0)
    g = generator(0)
    chance = [subspace_overlap(*torch.randn(2, 9, 48, generator=g)) for _ in range(100)]
    assert sum(chance) / 100 == pytest.approx(9 / 48, abs=0.01)
    collinear = torch.stack([eye[0], 2 * eye[0]])
    assert subspace_overlap(collinear, eye[:4]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: additive_codes(torch.full((90, 2), float("nan")), TOKENS, V), "finite"),
        (lambda: additive_codes(torch.ones(9, 2), TOKENS[:9], V), "9 free codes need more"),
        (lambda: additive_codes(torch.ones(90, 2), TOKENS + 1, V), "tokens has entries"),
        (lambda: additive_codes(torch.ones(90, 2), TOKENS, V, ridge=0.0), "ridge is 0"),
        (lambda: subspace_overlap(torch.zeros(2, 4), torch.eye(4)), "A is all zeros"),
    ],
)
def test_what_has_no_answer_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


TOKENS = torch.arange(90 * L).reshape(90, L) % V
