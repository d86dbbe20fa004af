"""A small random GPT whose answers depend on everything, and tokens for it."""

import torch

from course_lib.models.gpt import GPT, GPTConfig
from course_lib.runtime import generator

D, VOCAB = 16, 11


def make_gpt(seed=0):
    model = GPT(GPTConfig(d_vocab=VOCAB, n_ctx=12, d_model=D, n_heads=4, n_layers=3), seed=seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5.0)
    return model.eval()


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


MODEL = make_gpt()
TOKENS = torch.randint(0, VOCAB, (3, 8), generator=generator(0))
