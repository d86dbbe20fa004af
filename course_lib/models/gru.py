"""An encoder and a decoder, both GRUs, with nothing but one vector between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate
from course_lib.models.next_token import check_tokens, next_token_loss

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class GRUConfig:
    """The shape of a `GRU`.

    Attributes:
        d_vocab: tokens it knows.
        n_read: the first tokens of a sequence, which the encoder reads.
        d_model: width of an embedding.
        d_hidden: width of the state.
    """

    d_vocab: int
    n_read: int
    d_model: int = 32
    d_hidden: int = 48

    def __post_init__(self) -> None:
        for name in ("d_vocab", "n_read", "d_model", "d_hidden"):
            validate.positive_int(name, getattr(self, name))


class GRU(nn.Module):
    """Reads n_read tokens into one state, then predicts the tokens that follow from that state.

    The encoder's last state passes through the module `state` [batch, d_hidden] on its way to the
    decoder: hook that to see or to change all that the decoder knows. All states of the encoder
    pass through `encoder_states`, the decoder's through `decoder_states` [batch, seq, d_hidden].

    Source: the task of Csordás et al. 2024, "Recurrent Neural Networks Learn to Store and Generate
    Sequences using Non-Linear Representations"; the GRU of Cho et al. 2014, with torch's weights.

    Args:
        config: its shape.
        seed: of the initial weights (uniform up to 1/√d_hidden, embeddings normal).
    """

    def __init__(self, config: GRUConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = validate.instance("config", config, GRUConfig)
        self.embed = nn.Embedding(config.d_vocab, config.d_model)
        self.encoder = nn.GRU(config.d_model, config.d_hidden, batch_first=True)
        self.encoder_states = nn.Identity()
        self.state = nn.Identity()
        self.decoder = nn.GRU(config.d_model, config.d_hidden, batch_first=True)
        self.decoder_states = nn.Identity()
        self.unembed = nn.Linear(config.d_hidden, config.d_vocab)
        generator, bound = runtime.generator(seed), config.d_hidden**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        nn.init.normal_(self.embed.weight, generator=generator)

    @property
    def n_given(self) -> int:
        """The first tokens of a sequence, which are never predicted."""
        return self.config.n_read + 1

    def encode(self, tokens: Int[Tensor, "batch n_read"]) -> Float[Tensor, "batch d_hidden"]:
        """The state after the last of the tokens to read."""
        states = self.encoder_states(self.encoder(self.embed(tokens))[0])
        return self.state(states[:, -1])

    def decode(
        self, state: Float[Tensor, "batch d_hidden"], tokens: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d_vocab"]:
        """Logits of the token after each of `tokens`, which the decoder gets one by one."""
        states, _ = self.decoder(self.embed(tokens), state[None].contiguous())
        return self.unembed(self.decoder_states(states))

    def forward(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch written d_vocab"]:
        """Logits of the token after each but the first n_read of `tokens`.

        Raises ValueError for tokens that are not in the vocabulary, or not more than n_read.
        """
        check_tokens(tokens, self.config.d_vocab)
        if tokens.shape[1] <= (n_read := self.config.n_read):
            raise ValueError(
                f"tokens has shape {list(tokens.shape)}; it must be [batch, more than n_read = "
                f"{n_read}]."
            )
        return self.decode(self.encode(tokens[:, :n_read]), tokens[:, n_read:])

    def loss(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, ""]:
        """Mean cross-entropy (nats) of the written tokens, each from those before it."""
        return next_token_loss(self(tokens[:, :-1]), tokens).mean()

    @torch.no_grad()
    def generate(self, tokens: Int[Tensor, "batch seq"], n_new: int) -> Int[Tensor, "batch all"]:
        """`tokens`, of which there are more than n_read, and n_new more: each the likeliest."""
        validate.positive_int("n_new", n_new)
        for _ in range(n_new):
            tokens = torch.cat([tokens, self(tokens)[:, -1:].argmax(dim=-1)], dim=1)
        return tokens

    def write(
        self, state: Float[Tensor, "batch d_hidden"], first: int, n_new: int
    ) -> Int[Tensor, "batch n_new"]:
        """The n_new likeliest tokens from a state, edited or not, that follow the token `first`."""
        validate.shape("state", state, ("batch", self.config.d_hidden))
        if validate.positive_int("first", first, 0) >= self.config.d_vocab:
            raise ValueError(f"first is {first}; it must be from 0 to {self.config.d_vocab - 1}.")
        tokens = torch.full((len(state), 1), first, device=state.device)
        with torch.no_grad():
            for _ in range(validate.positive_int("n_new", n_new)):
                tokens = torch.cat([tokens, self.decode(state, tokens)[:, -1:].argmax(-1)], dim=1)
        return tokens[:, 1:]
