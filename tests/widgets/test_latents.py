"""The latent dashboard holds what brute force finds in planted activations."""

import base64
import json
import re
import zlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.sae.codes import Codes, Pattern
from course_lib.widgets import firings, latent_dashboard
from course_lib.widgets.latents import extremes
from course_lib.widgets.packed import float_bits, pack

DOCS, SEQ, D_SAE = 9, 7, 5
WORDS = ["sun", "moon", "sea", "<b>", "a b", "no"]


def example() -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens with padding, and activations of which the last latent has none."""
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(len(WORDS), (DOCS, SEQ), generator=g)
    tokens[3, 4:] = -1
    z = torch.randn(DOCS, SEQ, D_SAE, generator=g).sub(0.3).relu()
    z[..., 4] = 0
    z[..., 0] += 0.1
    return tokens, z


def arguments(**changes) -> dict:
    tokens, z = example()
    effect = torch.randn(D_SAE, len(WORDS), generator=torch.Generator().manual_seed(1))
    given = {
        "sae_name": "a test",
        "tokens": tokens,
        "vocabulary": WORDS,
        "z": z,
        "logit_effect": effect,
        "labels": ["b: two", "a: one", "", "b: two", ""],
        "f1": torch.tensor([0.9, 0.25, 0.0, 1.0, 0.0]),
    }
    return given | changes


def codes(z: torch.Tensor) -> Codes:
    rows, latents = z.flatten(0, -2).nonzero(as_tuple=True)
    starts = torch.searchsorted(rows, torch.arange(z[..., 0].numel() + 1))
    return Codes(z.flatten(0, -2)[rows, latents], Pattern(latents, starts, z.shape[-1]))


FORMS = {
    "dense": lambda z: z,
    "flat": lambda z: z.flatten(0, 1),
    "sparse": lambda z: z.to_sparse(),
    "flat and sparse": lambda z: z.flatten(0, 1).to_sparse(),
    "codes": codes,
    "batches": lambda z: (batch for batch in (z[:4], z[4:5].to_sparse(), codes(z[5:]))),
    "with gradient": lambda z: z.clone().requires_grad_(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_activations_gives_the_firings_of_a_slow_search(form):
    tokens, z = example()
    fired = firings.firings(FORMS[form](z), tokens)
    slow = [
        (i, d * SEQ + s, z[d, s, i].item())
        for i in range(D_SAE)
        for d in range(DOCS)
        for s in range(SEQ)
        if z[d, s, i] > 0 and tokens[d, s] != -1
    ]
    found = zip(fired.latents.tolist(), fired.places.tolist(), fired.values.tolist(), strict=True)
    assert list(found) == slow
    assert fired.counts().tolist() == [sum(i == j for j, _, _ in slow) for i in range(D_SAE)]
    there = z[tokens != -1]
    torch.testing.assert_close(fired.largest(), there.amax(dim=0))


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=60),
    st.lists(st.integers(0, 3), min_size=10, max_size=10),
)
@settings(max_examples=200, deadline=None)
def test_contexts_are_the_strongest_of_their_tenth_from_different_documents(entries, per_decile):
    values, documents = (torch.tensor(part) for part in zip(*entries, strict=True))
    chosen = firings.top_contexts(values.float(), documents, per_decile)
    n = len(entries)

    def rank(entry: int) -> int:
        return sum(
            other > values[entry] or (other == values[entry] and k < entry)
            for k, other in enumerate(values)
        )

    ranks = [rank(entry) for entry, _ in chosen]
    assert ranks == sorted(ranks)
    assert all(decile == rank(entry) * 10 // n for entry, decile in chosen)
    seen = {documents[entry].item(): rank(entry) for entry, _ in chosen}
    assert len(seen) == len(chosen)
    for entry in set(range(n)) - {entry for entry, _ in chosen}:
        same_tenth = [e for e, decile in chosen if decile == rank(entry) * 10 // n]
        full = len(same_tenth) == per_decile[rank(entry) * 10 // n]
        if not full or any(rank(e) > rank(entry) for e in same_tenth):
            assert seen[documents[entry].item()] < rank(entry)


def test_windows_hold_the_shares_around_a_context_and_nothing_of_other_documents():
    tokens, z = example()
    z = z.where((tokens != -1)[..., None], 0)
    fired = firings.firings(z, tokens)
    around = firings.contexts(fired, [3] * 10)
    shares = firings.windows(fired, around, 4, 2)
    for latent, place, row in zip(around.latents, around.places, shares, strict=True):
        document, at = divmod(place.item(), SEQ)
        wanted = [
            z[document, at + k, latent] / z[..., latent].max() if 0 <= at + k < SEQ else 0.0
            for k in range(-4, 3)
        ]
        torch.testing.assert_close(row, torch.tensor(wanted))
        assert row[4] > 0


def test_histograms_count_every_firing_in_the_bin_that_ends_at_or_above_it():
    tokens, z = example()
    fired = firings.firings(z, tokens)
    counted = firings.histograms(fired, 8)
    for i in range(D_SAE):
        own = fired.values[fired.latents == i].double()
        edges = torch.linspace(0, 1, 9, dtype=torch.double) * (own.max() if len(own) else 1)
        edges[-1] += 1e-6
        wanted = [int(((own > a) & (own <= b)).sum()) for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007
        assert counted[i].tolist() == wanted


def test_extremes_are_the_ends_of_the_sorted_effects_relative_to_the_mean():
    effect = torch.randn(4, 9, generator=torch.Generator().manual_seed(2)) + 3
    tokens, effects = extremes(effect, 3)
    for row, ids, values in zip(effect.tolist(), tokens.tolist(), effects.tolist(), strict=True):
        order = sorted(range(9), key=lambda token: -row[token])
        assert ids == order[:3] + order[-3:]
        mean = sum(row) / 9
        assert values == pytest.approx([row[token] - mean for token in ids], abs=1e-5)


def test_a_small_vocabulary_gives_each_end_half_of_it():
    tokens, _ = extremes(torch.tensor([[3.0, 1.0, 2.0]]), 5)
    assert tokens.tolist() == [[0, 1]]


def unpacked(packed: dict) -> dict[str, list[int]]:
    plain, columns = zlib.decompress(base64.b64decode(packed["packed"])), {}
    for name, (length, n_bytes) in packed["columns"].items():
        planes = [plain[k * length : (k + 1) * length] for k in range(n_bytes)]
        columns[name] = [sum(b << 8 * k for k, b in enumerate(entry)) for entry in zip(*planes)]  # noqa: B905
        plain = plain[length * n_bytes :]
    assert plain == b""
    return columns


def test_numbers_of_one_to_four_bytes_and_none_come_out_of_a_pack_as_they_went_in():
    columns = {"none": [], "small": [0, 255, 7], "large": [256, 0], "huge": [2**32 - 1, 65536, 1]}
    assert unpacked(pack({n: torch.tensor(c) for n, c in columns.items()})) == columns


def test_upper_bits_of_a_number_keep_four_digits():
    values = torch.tensor([0.0, 1e-8, 0.1, 3.14159, 1e6])
    kept = (float_bits(values) << 11).int().view(torch.float32)
    torch.testing.assert_close(kept, values, rtol=2.5e-4, atol=0)


@pytest.mark.parametrize("bad", [-1, 2**32])
def test_a_number_that_four_bytes_cannot_hold_is_refused(bad):
    with pytest.raises(ValueError, match=f"x goes from .*{bad}"):
        pack({"x": torch.tensor([0, bad])})


def data_of(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)["data"]


def test_the_page_holds_tokens_by_name_and_of_the_vocabulary_only_what_it_shows():
    given = arguments(
        vocabulary=[*WORDS, *(f"unused {k}" for k in range(50))],
        logit_effect=torch.cat([arguments()["logit_effect"], torch.zeros(D_SAE, 50)], dim=1),
    )
    data = data_of(latent_dashboard(**given).html)
    numbers = unpacked(data)
    named = [data["words"][token] for token in numbers["token"]]
    assert named == [None if t < 0 else WORDS[t] for t in given["tokens"].flatten().tolist()]
    assert len(data["words"]) < 25
    assert [data["labels"][k] for k in numbers["label"]] == given["labels"]
    assert numbers["f1"] == [90, 25, 0, 100, 0]


def test_two_thousand_latents_on_three_hundred_documents_weigh_less_than_300_kilobytes():
    g = torch.Generator().manual_seed(0)
    n, k = 300 * 57, 32
    offsets = torch.randperm(2000, generator=g)[:k]
    latents = (torch.randint(2000, (n, 1), generator=g) + offsets) % 2000
    values = torch.empty(n * k).exponential_(generator=g)
    page = latent_dashboard(
        "a test",
        torch.randint(2000, (300, 57), generator=g),
        [f"word{k}" for k in range(2000)],
        Codes(values, Pattern(latents.flatten(), torch.arange(0, n * k + 1, k), 2000)),
        torch.randn(2000, 2000, generator=g),
        [f"concept{k % 20}: value {k % 100}" for k in range(2000)],
        torch.rand(2000, generator=g),
    )
    assert len(page.html.encode()) < 300_000


def test_words_say_of_the_first_latent_how_often_it_fires_and_where():
    given = arguments(start=1)
    tokens, z = given["tokens"], given["z"][..., 1].where(given["tokens"] != -1, 0)
    page = latent_dashboard(**given)
    assert str(page).startswith(
        f"The latents of a test\nLatent 1 fires on {int((z > 0).sum())} of 60 tokens"
    )
    assert "As a test for a: one its F1 is 0.25." in str(page)
    document, at = divmod(int(z.argmax()), SEQ)
    words = [WORDS[t] for t in tokens[document, max(0, at - 7) : at + 4].tolist() if t != -1]
    words[min(at, 7)] = f"[{words[min(at, 7)]}]"
    text = " ".join(words).replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>{z.max():.3g}</td><td>{text}</td>" in page.html


def test_a_first_latent_that_never_fires_says_so():
    assert "Latent 4 never fires" in str(latent_dashboard(**arguments(start=4)))


def test_an_sae_that_never_fires_still_makes_a_page():
    given = arguments(z=torch.zeros(DOCS, SEQ, D_SAE))
    assert unpacked(data_of(latent_dashboard(**given).html))["fired"] == [0] * D_SAE


TOKENS, Z = example()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": Z[:-1]}, r"z has 56 rows, of \[5\] latents; .*9 \* 7 tokens"),
        ({"z": [Z[:5], Z[5:, :, :3]]}, r"z has 63 rows, of \[3, 5\] latents"),
        ({"z": []}, r"z has 0 rows"),
        ({"z": Z[:, :-1]}, r"z has shape \[9, 6, 5\]; it must be \[docs, 7, d_sae\]"),
        ({"z": -Z}, r"z has \d+ of \d+ entries that are not allowed"),
        ({"z": Z / 0}, r"z has \d+ of \d+ entries that are not allowed"),
        ({"tokens": TOKENS + 1}, r"tokens go from 0 to 6; .* from 0 to 5, or -1"),
        ({"tokens": TOKENS[0]}, r"tokens has shape \[7\]"),
        ({"logit_effect": torch.zeros(5, 5)}, r"logit_effect has shape \[5, 5\]; .*\[5, 6\]"),
        ({"labels": ["a"]}, r"labels has 1 entries; it must have d_sae = 5"),
        ({"f1": torch.full((5,), 2.0)}, r"f1 has 5 of 5 entries"),
        ({"f1": torch.zeros(4)}, r"f1 has shape \[4\]; it must be \[5\]"),
        ({"start": 5}, r"start is 5; it must be a latent, from 0 to 4"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_what_is_allowed(change, message):
    with pytest.raises(ValueError, match=message):
        latent_dashboard(**arguments(**change))


@pytest.mark.parametrize("tokens", [TOKENS.float(), TOKENS > 0, TOKENS[:0]])
def test_tokens_that_are_no_whole_numbers_are_refused(tokens):
    with pytest.raises(TypeError, match="tokens has dtype"):
        latent_dashboard(**arguments(tokens=tokens))
