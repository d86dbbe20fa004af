"""Vectors are found where they are planted, and know where they came from."""

import pytest
import torch

from course_lib.activations import read
from course_lib.activations.harvest import fingerprint
from course_lib.models.cnn import CNN, CNNConfig
from course_lib.sae import SemiNMF, TopKSAE
from course_lib.steering import (
    TokenRule,
    difference_of_means,
    find_vectors,
    from_latent,
    from_neurons,
    sweep,
    vector_at,
)
from tests.steering.small import MODEL, TOKENS, D, normal

LABELS = torch.where(TOKENS < 4, 0, torch.where(TOKENS < 8, 1, -1))
SITES = ["blocks.0.resid_post", "blocks.2.mlp_out"]


def test_vectors_are_those_of_the_labelled_activations_of_each_site(monkeypatch):
    monkeypatch.setattr("course_lib.steering.finding.BATCH", 2)
    rule = TokenRule("answer")
    found = find_vectors(MODEL, SITES, TOKENS, LABELS, name="small", rule=rule)
    for made, site in zip(found, SITES, strict=True):
        h = read(MODEL, site, TOKENS)
        torch.testing.assert_close(
            made.vector, difference_of_means(h.flatten(0, 1), LABELS.flatten())
        )
        assert (made.site, made.model, made.tokens) == (site, "small", rule)
        ones, zeros = int((LABELS == 1).sum()), int((LABELS == 0).sum())
        assert made.source == f"difference_of_means of {ones} tokens against {zeros}"
        made.check(MODEL)
    alone = find_vectors(MODEL, SITES[1], TOKENS, LABELS)
    assert torch.equal(alone.vector, found[1].vector)


def test_methods_have_names_and_options_and_may_be_functions():
    strong = find_vectors(MODEL, SITES[0], TOKENS, LABELS, "logistic", C=0.01)
    weak = find_vectors(MODEL, SITES[0], TOKENS, LABELS, "logistic", C=10.0)
    assert strong.cos(weak) < 0.999
    own = find_vectors(MODEL, SITES[0], TOKENS, LABELS, lambda h, y: h[y == 1][0])
    assert own.vector.shape == (D,)
    with pytest.raises(ValueError, match="method is 'mean'"):
        find_vectors(MODEL, SITES[0], TOKENS, LABELS, "mean")
    with pytest.raises(ValueError, match="a contrast needs both"):
        find_vectors(MODEL, SITES[0], TOKENS, 0 * LABELS)
    with pytest.raises(ValueError, match="labels has shape"):
        find_vectors(MODEL, SITES[0], TOKENS, LABELS[:2])


def test_labels_of_whole_inputs_count_for_all_their_places():
    model = CNN(CNNConfig(2, 9, classes=(), dimensions=1, channels=(5,), ring=True)).eval()
    fields, y = normal(6, 2, 9), torch.tensor([0, 1, 0, 1, -1, 1])
    made = find_vectors(model, "layers.0.act", fields, y, axis=1)
    h = read(model, "layers.0.act", fields)
    torch.testing.assert_close(made.vector, (h[y == 1].mean((0, 2)) - h[y == 0].mean((0, 2))))
    assert sweep(model, fields, [made], [1.0]).shape == (1, 1, 6, 1, 9)


def test_a_latents_vector_is_its_decoder_row_at_its_size():
    sae = TopKSAE(D, 12, 3)
    made = from_latent(MODEL, SITES[0], sae, 5, size=3.0, name="small")
    torch.testing.assert_close(made.delta, 3 * sae.W_dec[5].detach())
    assert made.source == "latent 5 of a TopKSAE" and made.weights == fingerprint(MODEL)
    with pytest.raises(ValueError, match="latent is 12; the dictionary has 12, from 0 to 11"):
        from_latent(MODEL, SITES[0], sae, 12)


def test_neurons_write_what_the_mlp_writes_for_them():
    h = read(MODEL, "blocks.1.mlp_post", TOKENS).flatten(0, 1)
    parts = SemiNMF(4, winners=6, steps=5).fit(h)
    down = MODEL.blocks[1].mlp.down
    made = from_neurons(MODEL, "blocks.1.mlp_out", down.weight, parts.W_dec[2])
    expected = (down(h[:1] + parts.W_dec[2]) - down(h[:1]))[0].detach()
    torch.testing.assert_close(made.vector, expected, rtol=1e-4, atol=1e-4)
    assert not made.vector.requires_grad
    with pytest.raises(ValueError, match="neurons has shape"):
        from_neurons(MODEL, "blocks.1.mlp_out", down.weight, torch.ones(3))


def test_any_direction_can_be_placed_in_a_model():
    made = vector_at(MODEL, SITES[0], normal(D), source="a probe", name="small")
    made.check(MODEL)
    assert made.source == "a probe"
