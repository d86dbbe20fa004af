"""Patches put what they say where they say, alone or many side by side."""

import pytest
import torch

from course_lib.activations import ProjectOut, ReplaceSubspace, intervene, read
from course_lib.causal import (
    from_site,
    interchange,
    interchange_accuracy,
    patch_activations,
    recovered,
)
from course_lib.runtime import generator
from tests.steering.small import MODEL, D, normal

CLEAN = torch.randint(0, 11, (4, 6), generator=generator(0))
CORRUPT = CLEAN.clone()
CORRUPT[:, 2] = (CLEAN[:, 2] + 1) % 11  # one token differs, all after it may
SITES = ["blocks.0.resid_post", "blocks.1.attn_out", "blocks.2.resid_post"]


def measure(logits):
    return logits[:, -1, 1] - logits[:, -1, 5]


def by_hand(site, places, base, source, directions=None):
    new = read(MODEL, site, source)

    def put(x):
        out = x.clone()
        whole = new if directions is None else ReplaceSubspace(new, directions)(x)
        out[:, places] = whole[:, places]
        return out

    with torch.no_grad(), intervene(MODEL, site, put):
        return measure(MODEL(base))


@pytest.mark.parametrize("mode", ["denoise", "noise"])
@pytest.mark.parametrize("rows", [4, 9, 512])
def test_a_map_is_the_loop_over_sites_and_positions(mode, rows):
    found = patch_activations(MODEL, CLEAN, CORRUPT, SITES, measure, mode=mode, rows=rows)
    base, source = (CORRUPT, CLEAN) if mode == "denoise" else (CLEAN, CORRUPT)
    assert found.patched.shape == (3, 6, 4)
    for row, site in enumerate(SITES):
        for place in range(6):
            torch.testing.assert_close(
                found.patched[row, place], by_hand(site, [place], base, source),
                rtol=1e-4, atol=1e-4,
            )  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(found.clean, measure(MODEL(CLEAN)))
        torch.testing.assert_close(found.corrupt, measure(MODEL(CORRUPT)))


@pytest.mark.parametrize("mode", ["denoise", "noise"])
def test_nothing_is_recovered_where_nothing_differs_and_all_where_all_is_patched(mode):
    found = patch_activations(
        MODEL, CLEAN, CORRUPT, ["blocks.0.resid_post"], measure, mode=mode,
        positions=[0, 1, [2, 3, 4, 5]],
    ).recovered  # fmt: skip
    torch.testing.assert_close(found[0, :2], torch.zeros(2), atol=1e-4, rtol=0)
    assert found[0, 2].item() == pytest.approx(1, abs=1e-4)
    last = patch_activations(MODEL, CLEAN, CORRUPT, ["blocks.2.resid_post"], measure, mode=mode)
    torch.testing.assert_close(last.recovered[0], torch.tensor([0.0] * 5 + [1]), atol=1e-4, rtol=0)


def test_directions_patch_their_span_alone():
    some = normal(2, D, seed=4)
    found = patch_activations(
        MODEL, CLEAN, CORRUPT, SITES[:1], measure, positions=[2], directions={SITES[0]: some}
    )
    expected = by_hand(SITES[0], [2], CORRUPT, CLEAN, some)
    torch.testing.assert_close(found.patched[0, 0], expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(expected, by_hand(SITES[0], [2], CORRUPT, CLEAN), atol=1e-3)


def test_what_is_recovered_is_a_ratio_of_sums():
    start, goal = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 2.0])
    patched = torch.tensor([[0.0, 1.0], [2.0, 2.0], [1.0, 1.5], [3.0, 3.5]])
    torch.testing.assert_close(
        recovered(patched, start, goal), torch.tensor([0, 1, 1.5 / 3, 5.5 / 3])
    )
    for other in (start, start + torch.tensor([1.0, -1.0])):  # no gap, or none in the mean
        with pytest.raises(ValueError, match="nothing to recover"):
            recovered(patched, start, other)


def test_exchanging_a_whole_stream_gives_the_sources_answer():
    with torch.no_grad():
        expected = MODEL(CORRUPT)
    torch.testing.assert_close(interchange(MODEL, CLEAN, CORRUPT, "blocks.0.resid_post"), expected)
    nothing = interchange(MODEL, CLEAN, CORRUPT, "blocks.0.resid_post", positions=[0, 1])
    with torch.no_grad():
        torch.testing.assert_close(nothing, MODEL(CLEAN))


def test_exchanging_a_subspace_and_the_rest_of_it_is_exchanging_all():
    some = normal(3, D, seed=5)
    rest = torch.linalg.qr(some.T, mode="complete").Q[:, 3:].T
    site = "blocks.1.resid_post"
    a, b = read(MODEL, site, CLEAN), read(MODEL, site, CORRUPT)
    both = ReplaceSubspace(b, some)(ReplaceSubspace(b, rest)(a))
    torch.testing.assert_close(both, b, rtol=1e-4, atol=1e-4)
    part = interchange(MODEL, CLEAN, CORRUPT, site, directions=some)
    with torch.no_grad(), intervene(MODEL, site, lambda x: x + (b - a) - ProjectOut(some)(b - a)):
        torch.testing.assert_close(part, MODEL(CLEAN), rtol=1e-4, atol=1e-4)


def test_interchange_accuracy_counts_answers_as_expected():
    logits = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert interchange_accuracy(logits, torch.tensor([0, 1, 2, 2])) == 0.75
    with pytest.raises(ValueError, match="expected has shape"):
        interchange_accuracy(logits, torch.tensor([0]))


def test_the_rest_of_a_model_is_a_function_of_its_activation():
    rest = from_site(MODEL, CLEAN, "blocks.0.resid_post", 2)
    with torch.no_grad():
        torch.testing.assert_close(rest(rest.h), MODEL(CLEAN), rtol=1e-4, atol=1e-4)
    other = from_site(MODEL, CORRUPT, "blocks.0.resid_post", 2)
    stack = torch.stack([rest.h, other.h]).requires_grad_()
    out = rest(stack)
    assert out.shape == (2, 4, 6, 11)
    expected = interchange(MODEL, CLEAN, CORRUPT, "blocks.0.resid_post", positions=[2])
    torch.testing.assert_close(out[1].detach(), expected, rtol=1e-4, atol=1e-4)
    (slope,) = torch.autograd.grad(out[1].square().sum(), stack)
    assert slope[1].abs().max() > 0 and slope[0].abs().max() == 0


def test_maps_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="corrupt has shape"):
        patch_activations(MODEL, CLEAN, CORRUPT[:2], SITES, measure)
    with pytest.raises(ValueError, match="mode is 'both'"):
        patch_activations(MODEL, CLEAN, CORRUPT, SITES, measure, mode="both")
    with pytest.raises(ValueError, match="what measure gives has shape"):
        patch_activations(MODEL, CLEAN, CORRUPT, SITES, lambda logits: logits)
