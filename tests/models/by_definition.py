"""A transformer from its definition, number by number."""

import math

import torch


def linear(layer, x):
    bias = layer.bias.tolist()
    return [
        sum(w * v for w, v in zip(r, x, strict=True)) + b
        for r, b in zip(layer.weight.tolist(), bias, strict=True)
    ]


def normalised(layer, x):
    mean = sum(x) / len(x)
    std = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-5)
    scales = zip(x, layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [w * (v - mean) / std + b for v, w, b in scales]


def gelu(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def turned(x, place):
    """Rotary positions as complex numbers: dimension i is the real part, i + d/2 the imaginary."""
    half = len(x) // 2
    turn = [
        complex(x[i], x[i + half]) * complex(math.cos(place * s), math.sin(place * s))
        for i, s in enumerate(10000 ** (-2 * i / len(x)) for i in range(half))
    ]
    return [number.real for number in turn] + [number.imag for number in turn]


def attention(attn, stream, rotary):
    n_heads, d_head = attn.n_heads, len(stream[0]) // attn.n_heads
    heads = []
    for h in range(n_heads):
        own = slice(h * d_head, (h + 1) * d_head)
        q, k, v = ([linear(m, x)[own] for x in stream] for m in (attn.q, attn.k, attn.v))
        if rotary:
            q, k = ([turned(x, place) for place, x in enumerate(part)] for part in (q, k))
        z = []
        for i in range(len(stream)):
            scores = [
                sum(a * b for a, b in zip(q[i], k[j], strict=True)) / d_head**0.5
                for j in range(i + 1)
            ]
            weights = [math.exp(score - max(scores)) for score in scores]
            z.append([
                sum(w * v[j][e] for j, w in enumerate(weights)) / sum(weights)
                for e in range(d_head)
            ])  # fmt: skip
        heads.append(z)
    return [linear(attn.out, [e for h in heads for e in h[i]]) for i in range(len(stream))]


def logits_of(model, tokens):
    """[seq, d_vocab] in 64 bits, of a GPT in 64 bits on one list of tokens."""
    rotary = model.config.positions == "rotary"
    stream = [list(model.embed.weight[token].tolist()) for token in tokens]
    if not rotary:
        places = model.pos_embed.weight.tolist()
        stream = [[a + b for a, b in zip(x, places[i], strict=True)] for i, x in enumerate(stream)]
    for block in model.blocks:
        written = attention(block.attn, [normalised(block.ln_1, x) for x in stream], rotary)
        stream = [
            [a + b for a, b in zip(x, y, strict=True)] for x, y in zip(stream, written, strict=True)
        ]
        for i, x in enumerate(stream):
            hidden = [gelu(v) for v in linear(block.mlp.up, normalised(block.ln_2, x))]
            stream[i] = [a + b for a, b in zip(x, linear(block.mlp.down, hidden), strict=True)]
    rows = model.unembed.weight.tolist()
    final = [normalised(model.ln_final, x) for x in stream]
    logits = [[sum(w * v for w, v in zip(r, x, strict=True)) for r in rows] for x in final]
    return torch.tensor(logits, dtype=torch.float64)
