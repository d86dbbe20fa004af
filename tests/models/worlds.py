"""Small worlds for the tests of trainers."""

import os
import signal

import torch

from course_lib.data.sequences import NONE, Sequences


class Chain:
    """A Markov chain; one sequence in three is two tokens shorter than the others."""

    vocabulary = tuple("abcde")
    seq = 6
    table = torch.eye(5).roll(1, 1) * 0.7 + torch.eye(5).roll(2, 1) * 0.2 + 0.02

    def __init__(self):
        self.attributes = {"token": self.vocabulary, "parity": ("even", "odd")}

    def sample(self, batch_size, generator):
        tokens = [torch.randint(5, (batch_size,), generator=generator)]
        while len(tokens) < self.seq:
            law = self.table[tokens[-1]]
            tokens.append(torch.multinomial(law, 1, generator=generator)[:, 0])
        tokens = torch.stack(tokens, 1)
        tokens[::3, -2:] = NONE
        parity = (tokens % 2).where(tokens != NONE, NONE)
        return Sequences(tokens, {"token": tokens, "parity": parity})

    def log_prob(self, tokens):
        first = torch.full((len(tokens), 1), 0.2)
        p = torch.cat([first, self.table[tokens[:, :-1], tokens[:, 1:]]], 1)
        return p.log().masked_fill(tokens == NONE, 0.0)


class StopAt(Chain):
    """A chain that presses Ctrl-C while it draws the batch of a step."""

    def __init__(self, draw):
        super().__init__()
        self.draw, self.drawn = draw, 0

    def sample(self, batch_size, generator):
        self.drawn += 1
        if self.drawn == self.draw:
            os.kill(os.getpid(), signal.SIGINT)
        return super().sample(batch_size, generator)
