"""Right answers to the exercises of "Beyond flat dictionaries", written unlike the solutions."""

import math

import torch
from torch import nn


def pursue_input_by_input(x, D, n_steps):
    codes, rests = [], []
    for rest in x.double():
        z = torch.zeros(len(D), dtype=torch.double)
        for _ in range(n_steps):
            products = D.double() @ rest
            j = int(products.argmax())
            if products[j] <= 0:
                break
            z[j] += products[j]
            rest = rest - products[j] * D[j].double()
        codes.append(z)
        rests.append(rest)
    return torch.stack(codes), torch.stack(rests)


def pursue_with_one_hot(x, D, n_steps):
    z = x.new_zeros(len(x), len(D))
    for _ in range(n_steps):
        products = torch.relu((x - z @ D) @ D.T)
        z = z + products * nn.functional.one_hot(products.argmax(dim=1), len(D))
    return z, x - z @ D


def pursue_with_index_put_as_a_list(x, D, n_steps):
    z, rest, rows = torch.zeros(len(x), len(D)), x.clone(), torch.arange(len(x))
    for _ in range(n_steps):
        best = torch.einsum("bd,nd->bn", rest, D).max(dim=1)
        step = best.values.clamp(min=0)
        z[rows, best.indices] += step
        rest = rest.sub(step.unsqueeze(1).mul(D[best.indices]))
    return [z, rest]


def merged_by_angles(a, b, cosine):
    theta = math.asin(cosine)
    return a + b * math.tan(math.pi / 4 - theta / 2), math.sin(math.atan2(a, b))


def merged_by_solving(a, b, cosine):
    directions = torch.tensor([[1.0, cosine], [0.0, math.sqrt(1 - cosine**2)]])
    codes = torch.linalg.solve(directions, torch.tensor([a, b]))
    return codes.sum(), torch.tensor(a) / torch.tensor([a, b]).norm()


def merged_as_one_tensor(a, b, cosine):
    cost = a + b * ((1 - cosine) / (1 + cosine)) ** 0.5
    return torch.tensor([cost, (1 + (b / a) ** 2) ** -0.5])


def rebuild_by_what_is_left(x, W, n_steps):
    directions = nn.functional.normalize(W, dim=-1)
    left = x
    for _ in range(n_steps):
        value, latent = (left @ directions.T).max(dim=-1, keepdim=True)
        left = left - value.relu() * directions[latent[:, 0]]
    return x - left


def rebuild_with_codes_in_units_of_the_rows(x, W, n_steps):
    norm = W.norm(dim=-1)
    z = torch.zeros(len(x), len(W))
    for _ in range(n_steps):
        products = (x - z @ W) @ W.T / norm
        value, latent = products.max(dim=-1, keepdim=True)
        z.scatter_add_(1, latent, value.clamp(min=0) / norm[latent])
    return z @ W


def rebuild_in_double(x, W, n_steps):
    x, W = x.double(), W.double()
    D = W / torch.linalg.vector_norm(W, dim=1, keepdim=True)
    x_hat = torch.zeros_like(x)
    for _ in range(n_steps):
        products = (x - x_hat) @ D.T
        best = products.argmax(dim=1)
        x_hat = x_hat + products.gather(1, best[:, None]).clamp(min=0) * D[best]
    return x_hat


def obtuse_atoms():
    angle = torch.tensor([0.0, 1.9])
    return torch.stack([angle.cos(), angle.sin()], dim=1), torch.tensor([1.0, 0.8])


def obtuse_atoms_in_space_in_double():
    D = torch.tensor([[1.0, 0, 0], [-0.6, 0.8, 0], [0, 0, 1]], dtype=torch.double)
    return [D, torch.tensor([2.0, 1.5, 0.1], dtype=torch.double)]


def simplex_as_parameters():
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
    return nn.Parameter(corners), nn.Parameter(corners[0] + 0.9 * corners[1] + 0.1)


def sharing_by_cases(a, cosine, strength, swap):
    one, both = swap * (1 - swap), swap**2
    split = 2 * one * 2 * a**2 + both * 4 * a**2 * (1 - cosine)
    half = math.sqrt((1 + cosine) / 2)
    shared = 2 * a**2 * (1 - half**2)
    return split + strength * 2 * a, shared + strength * math.sqrt(2) * a * half


def sharing_with_vectors(a, cosine, strength, swap):
    u, v = torch.tensor([1.0, 0.0]), torch.tensor([cosine, math.sqrt(1 - cosine**2)])
    middle = nn.functional.normalize(u + v, dim=0)
    shared = sum((a * d - (a * d @ middle) * middle).square().sum() for d in (u, v))
    shared = shared + strength * torch.stack([a * u @ middle, a * v @ middle]).norm()
    split = torch.tensor(2 * strength * a)
    for first in (0, 1):
        for second in (0, 1):
            chance = (swap if first else 1 - swap) * (swap if second else 1 - swap)
            view_0 = a * ((1 - first) * u + second * v)
            view_1 = a * (first * u + (1 - second) * v)
            wrong = (view_0 - a * u).square().sum() + (view_1 - a * v).square().sum()
            split = split + chance * wrong
    return torch.stack([split, shared])


def sharing_by_angles_as_a_list(a, cosine, strength, swap):
    half = math.acos(cosine) / 2
    shared = 2 * (a * math.sin(half)) ** 2 + strength * 2**0.5 * a * math.cos(half)
    return [4 * a * a * swap - 4 * a * a * swap**2 * cosine + 2 * strength * a, shared]


def decode_with_whole_transforms(z, atoms, n_modes):
    n = z.shape[1]
    spectrum = torch.einsum("bwj,jw->bw", torch.fft.fft(z, dim=1), torch.fft.fft(atoms, dim=1))
    frequency = torch.fft.fftfreq(n, 1 / n).abs().round()
    return torch.fft.ifft(spectrum * (frequency < n_modes), dim=1).real


def decode_by_shifting_smoothed_atoms(z, atoms, n_modes):
    n = z.shape[1]
    spectra = torch.fft.rfft(atoms)
    smooth = torch.fft.irfft(
        torch.cat([spectra[:, :n_modes], torch.zeros_like(spectra[:, n_modes:])], dim=1), n=n
    )
    shifted = torch.stack([smooth.roll(s, dims=1) for s in range(n)])  # [place, latent, point]
    return torch.einsum("bsj,sjt->bt", z, shifted)


def decode_with_cosines_and_sines_in_double(z, atoms, n_modes):
    z, atoms, n = z.double(), atoms.double(), z.shape[1]
    angle = 2 * math.pi * torch.outer(torch.arange(n), torch.arange(n_modes)).double() / n
    wave = torch.polar(torch.ones_like(angle), angle)  # [point, mode]
    masses = torch.einsum("bsj,sw->bwj", z.to(wave.dtype), wave.conj())
    spectra = torch.einsum("jt,tw->wj", atoms.to(wave.dtype), wave.conj())
    weight = torch.full((n_modes,), 2.0, dtype=torch.double)
    weight[0] = 1.0
    spectrum = (masses * spectra).sum(dim=-1) * weight
    return (spectrum @ wave.T).real / n


RIGHT = {
    "beyond_flat.matching_pursuit": [
        pursue_input_by_input,
        pursue_with_one_hot,
        pursue_with_index_put_as_a_list,
    ],
    "beyond_flat.merged_child": [merged_by_angles, merged_by_solving, merged_as_one_tensor],
    "beyond_flat.rebuild": [
        rebuild_by_what_is_left,
        rebuild_with_codes_in_units_of_the_rows,
        rebuild_in_double,
    ],
    "beyond_flat.counterexample": [
        obtuse_atoms,
        obtuse_atoms_in_space_in_double,
        simplex_as_parameters,
    ],
    "beyond_flat.split_or_shared": [
        sharing_by_cases,
        sharing_with_vectors,
        sharing_by_angles_as_a_list,
    ],
    "beyond_flat.spectral_decode": [
        decode_with_whole_transforms,
        decode_by_shifting_smoothed_atoms,
        decode_with_cosines_and_sines_in_double,
    ],
}
