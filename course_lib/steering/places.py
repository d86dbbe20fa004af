"""One act at its site: on its rows of the batch, at the tokens that its rule means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.steering.actions import Act
from course_lib.steering.tokens import EVERYWHERE

if TYPE_CHECKING:
    from jaxtyping import Int

EVERY = slice(None)  # all rows


class Seen:
    """The tokens that a model reads in the pass that runs."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.tokens = model, None

    def __enter__(self) -> Seen:
        self.handle = self.model.register_forward_pre_hook(self._note, with_kwargs=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.handle.remove()

    def _note(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        self.tokens = args[0] if args else kwargs.get("input_ids")


class Steered:
    """One act on its rows of the batch, at the tokens that are meant."""

    def __init__(
        self,
        act: Act,
        strength: float | Tensor,
        rows: slice,
        seen: Seen,
        n_prompt: int | Tensor | None,
        where: Tensor | None,
    ) -> None:
        if isinstance(strength, Tensor):
            validate.shape("strength", validate.finite("strength", strength), ("batch",))
        else:
            validate.number("strength", strength)
        if where is not None:
            validate.tensors("any", where=(where, "batch seq"))
            if where.dtype != torch.bool:
                raise TypeError(f"where has dtype {where.dtype}; it must be a mask of booleans.")
        self.act, self.strength, self.rows, self.seen = act, strength, rows, seen
        self.n_prompt, self.where = n_prompt, where
        self.ran, self.reached = False, False
        self.positions = torch.zeros(0)

    def at(self, positions: Int[Tensor, " seq"]) -> Steered:
        self.positions = positions
        return self

    def __call__(self, x: Tensor) -> Tensor:
        whole = x.movedim(self.act.axis, -1)
        part = whole[self.rows]
        strength = self.strength
        if isinstance(strength, Tensor):
            if len(strength) != len(part):
                raise ValueError(
                    f"strength has {len(strength)} entries and the batch {len(part)} rows; they "
                    "must be as many."
                )
            strength = strength.to(part).view(-1, *[1] * (part.ndim - 1))
        mask = self._mask(part)
        self.ran = True
        self.reached = self.reached or mask is None or bool(mask.any())
        new = self.act.change(part, strength)
        if mask is not None:
            new = torch.where(mask[..., None], new, part)
        if self.rows == EVERY:
            return new.movedim(-1, self.act.axis)
        whole = torch.cat([whole[: self.rows.start], new.to(whole), whole[self.rows.stop :]])
        return whole.movedim(-1, self.act.axis)

    def _mask(self, part: Tensor) -> Tensor | None:
        rule = self.act.tokens
        if rule == EVERYWHERE and self.where is None:
            return None
        tokens = self.seen.tokens
        if not isinstance(tokens, Tensor) or tokens.ndim != 2:
            raise ValueError("the model was not called with tokens [batch, seq]; no rule applies.")
        tokens = tokens[self.rows]
        if tokens.shape != part.shape[:-1]:
            raise ValueError(
                f"{self.act.site} has places {list(part.shape[:-1])} and the tokens are "
                f"{list(tokens.shape)}; a rule of tokens needs a site [batch, seq, d]."
            )
        positions = self.positions.to(tokens.device)
        mask = rule.mask(tokens, positions, self.n_prompt)
        if self.where is not None:
            validate.shape("where", self.where, (len(tokens), self.where.shape[1]))
            beyond = positions >= self.where.shape[1]
            chosen = self.where.to(tokens.device)[:, positions.clamp(max=self.where.shape[1] - 1)]
            mask = mask & chosen & ~beyond
        return mask

    def check(self) -> None:
        """Raise ValueError if the model ran and nothing was steered."""
        if self.ran and not self.reached and not self.act.tokens.only:
            raise ValueError(
                f"no token was steered at {self.act.site}: none that the model read is one of "
                f"{self.act.tokens}, n_prompt = {self.n_prompt}"
                f"{'' if self.where is None else ', and in the mask where'}."
            )
