"""A GPT to read in one sitting, with every place that the course looks at within reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from course_lib import runtime, validate
from course_lib.data.sequences import NONE
from course_lib.models.next_token import check_tokens, next_token_loss

if TYPE_CHECKING:
    from jaxtyping import Float, Int

# Where to find the usual activations of block {}: a module, and its input or its output.
SITES = {
    "resid_pre": ("blocks.{}", "input"),
    "q": ("blocks.{}.attn.q", "output"),
    "k": ("blocks.{}.attn.k", "output"),
    "v": ("blocks.{}.attn.v", "output"),
    "pattern": ("blocks.{}.attn.pattern", "output"),
    "z": ("blocks.{}.attn.out", "input"),
    "attn_out": ("blocks.{}.attn", "output"),
    "resid_mid": ("blocks.{}.resid_mid", "output"),
    "mlp_pre": ("blocks.{}.mlp.up", "output"),
    "mlp_post": ("blocks.{}.mlp.down", "input"),
    "mlp_out": ("blocks.{}.mlp", "output"),
    "resid_post": ("blocks.{}", "output"),
}


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT.

    Attributes:
        d_vocab: tokens it knows.
        n_ctx: tokens it can see at once.
        d_model, n_heads, n_layers: n_heads divides d_model.
        positions: "learned" adds a vector per place, "rotary" turns queries and keys by it.
        tied: whether the unembedding is the embedding, one tensor.
    """

    d_vocab: int
    n_ctx: int
    d_model: int = 64
    n_heads: int = 4
    n_layers: int = 2
    positions: str = "learned"
    tied: bool = False

    def __post_init__(self) -> None:
        for name in ("d_vocab", "n_ctx", "d_model", "n_heads", "n_layers"):
            validate.positive_int(name, getattr(self, name))
        validate.choice("positions", self.positions, ("learned", "rotary"))
        if self.d_model % self.n_heads:
            raise ValueError(
                f"n_heads is {self.n_heads}; it must divide d_model, which is {self.d_model}."
            )
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(
                f"d_model / n_heads is {self.d_head}; rotary positions turn pairs, so it must be "
                "even."
            )

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads


class KVCache:
    """Keys and values of the tokens read so far, one pair of tensors per block."""

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        """Number of tokens read."""
        return self._layers[0][0].shape[-2] if self._layers else 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append new keys and values [batch, head, seq, d_head]; all of them are returned."""
        if layer in self._layers:
            old_k, old_v = self._layers[layer]
            k, v = torch.cat([old_k, k], dim=-2), torch.cat([old_v, v], dim=-2)
        self._layers[layer] = k, v
        return k, v


class Site(nn.Identity):
    """A place to hook that is no other module's output; `watched` while a hook is on it."""

    @property
    def watched(self) -> bool:
        return bool(self._forward_hooks or self._forward_pre_hooks)


class Attention(nn.Module):
    """Causal attention: z = softmax(q kᵀ / √d_head) v in each head, then all heads to `out`.

    torch's fused attention never makes the pattern, so it is computed apart while the site
    `pattern` [batch, head, query, key] is watched; the numbers then differ by rounding only.
    """

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.n_heads, self.layer = config.n_heads, layer
        self.rotary = config.positions == "rotary"
        self.q = nn.Linear(config.d_model, config.d_model)
        self.k = nn.Linear(config.d_model, config.d_model)
        self.v = nn.Linear(config.d_model, config.d_model)
        self.pattern = Site()
        self.out = nn.Linear(config.d_model, config.d_model)

    def forward(
        self,
        x: Float[Tensor, "batch seq d_model"],
        places: Int[Tensor, " seq"],
        cache: KVCache | None = None,
    ) -> Float[Tensor, "batch seq d_model"]:
        q, k, v = (self._heads(project(x)) for project in (self.q, self.k, self.v))
        if self.rotary:
            q, k = rotate(q, places), rotate(k, places)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        n_new, n_keys = q.shape[-2], k.shape[-2]
        seen = None
        if n_new < n_keys or self.pattern.watched:
            seen = torch.ones(n_new, n_keys, dtype=torch.bool, device=x.device)
            seen = seen.tril(n_keys - n_new)
        if self.pattern.watched:
            scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~seen, float("-inf"))
            z = self.pattern(scores.softmax(dim=-1)) @ v
        else:
            z = F.scaled_dot_product_attention(q, k, v, seen, is_causal=seen is None)
        return self.out(z.transpose(1, 2).flatten(2))

    def _heads(self, x: Float[Tensor, "batch seq d_model"]) -> Tensor:
        """[batch, head, seq, d_head]"""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


def rotate(
    x: Float[Tensor, "batch head seq d_head"], places: Int[Tensor, " seq"]
) -> Float[Tensor, "batch head seq d_head"]:
    """Turn dimensions i and i + d_head/2 together, by place · 10000^(-2i / d_head).

    So q · k depends on how far apart the two are, not on where. Source: Su et al. 2021, "RoFormer",
    section 3.2.2; the pairing is that of GPT-NeoX and Llama.
    """
    half = x.shape[-1] // 2
    speed = 10000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = places[:, None] * speed
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class MLP(nn.Module):
    """Linear to 4 d_model neurons, GELU (its tanh form, as in GPT-2), linear back."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.act = nn.GELU(approximate="tanh")
        self.down = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        return self.down(self.act(self.up(x)))


class Block(nn.Module):
    """Attention and MLP, each of which reads the normalised stream and adds to it."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.d_model)
        self.attn = Attention(config, layer)
        self.resid_mid = Site()
        self.ln_2 = nn.LayerNorm(config.d_model)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Float[Tensor, "batch seq d_model"],
        places: Int[Tensor, " seq"],
        cache: KVCache | None = None,
    ) -> Float[Tensor, "batch seq d_model"]:
        x = self.resid_mid(x + self.attn(self.ln_1(x), places, cache))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A decoder-only transformer, normalised before each layer as GPT-2 is.

    Any `nn.Module` hook sees what the course looks at; `SITES` says on which module. Source:
    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3, with
    its initial weights: normal, standard deviation 0.02, and 0.02 / √(2 n_layers) where a layer
    writes to the stream; biases 0.

    Args:
        config: its shape.
        seed: of the initial weights.

    Attributes:
        n_given: the first tokens of a sequence, which are never predicted.
    """

    n_given = 1

    def __init__(self, config: GPTConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = validate.instance("config", config, GPTConfig)
        self.embed = nn.Embedding(config.d_vocab, config.d_model)
        if config.positions == "learned":
            self.pos_embed = nn.Embedding(config.n_ctx, config.d_model)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.ln_final = nn.LayerNorm(config.d_model)
        self.unembed = nn.Linear(config.d_model, config.d_vocab, bias=False)
        generator = runtime.generator(seed)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                writes = name.endswith(("attn.out.weight", "mlp.down.weight"))
                std = 0.02 / (2 * config.n_layers) ** 0.5 if writes else 0.02
                nn.init.normal_(parameter, std=std, generator=generator)
        if config.tied:
            self.unembed.weight = self.embed.weight

    def forward(
        self, tokens: Int[Tensor, "batch seq"], cache: KVCache | None = None
    ) -> Float[Tensor, "batch seq d_vocab"]:
        """Logits of the token after each of `tokens`.

        With a cache, `tokens` are those after the ones it holds, and are added to it. `NONE`, which
        stands after a sequence's end, is read as token 0; nothing before it sees it.

        Raises ValueError for tokens that are not in the vocabulary or do not fit into n_ctx.
        """
        start = 0 if cache is None else len(validate.instance("cache", cache, KVCache))
        self._check(tokens, start)
        places = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x = self.embed(tokens.clamp(min=0).long())
        if self.config.positions == "learned":
            x = x + self.pos_embed(places)
        for block in self.blocks:
            x = block(x, places, cache)
        return self.unembed(self.ln_final(x))

    def loss(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, ""]:
        """Mean cross-entropy (nats) of each token given those before it, from the second on."""
        return next_token_loss(self(tokens[:, :-1]), tokens).mean()

    @torch.no_grad()
    def generate(
        self,
        tokens: Int[Tensor, "batch seq"],
        n_new: int,
        *,
        temperature: float = 0.0,
        generator: Generator | None = None,
    ) -> Int[Tensor, "batch seq+n_new"]:
        """`tokens` and n_new more: each the likeliest, or drawn from softmax(logits / temperature).

        Raises ValueError when a temperature above 0 comes without a generator, or when all but
        the last do not fit into n_ctx.
        """
        validate.positive_int("n_new", n_new)
        if validate.number("temperature", temperature, 0.0) > 0 and generator is None:
            raise ValueError("generator is None; give one to draw at a temperature above 0.")
        self._check(tokens, n_new - 1)  # the last one is not read
        cache, new = KVCache(), tokens
        for _ in range(n_new):
            logits = self(new, cache)[:, -1]
            if temperature == 0:
                new = logits.argmax(dim=-1, keepdim=True)
            else:
                law = (logits.float() / temperature).softmax(dim=-1)
                law = law.to(generator.device)
                new = torch.multinomial(law, 1, generator=generator).to(tokens.device)
            tokens = torch.cat([tokens, new], dim=1)
        return tokens

    def _check(self, tokens: Tensor, n_others: int) -> None:
        check_tokens(tokens, self.config.d_vocab, lowest=NONE)
        if (n_tokens := tokens.shape[1] + n_others) > self.config.n_ctx:
            raise ValueError(f"{n_tokens} tokens do not fit into n_ctx = {self.config.n_ctx}.")
