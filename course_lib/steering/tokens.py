"""Which tokens are steered: a rule that survives generation, a KV cache and being saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

PARTS = ("all", "prompt", "last", "new", "answer")


@dataclass(frozen=True)
class TokenRule:
    """Tokens of one part of a sequence, of some kinds, from some position on.

    Attributes:
        part: "all"; "prompt"; "last", the prompt's last token; "new", those that are generated;
            or "answer", "last" and "new": all tokens after which the model writes one of its own.
        only: ids of the tokens that are meant; () for any.
        skip: first positions that are left alone, such as a begin-of-text token.
    """

    part: str = "all"
    only: tuple[int, ...] = ()
    skip: int = 0

    def __post_init__(self) -> None:
        validate.choice("part", self.part, PARTS)
        validate.positive_int("skip", self.skip, 0)
        only = validate.items("only", self.only)
        ids = tuple(validate.positive_int("an entry of only", token, 0) for token in only)
        object.__setattr__(self, "only", ids)

    def mask(
        self,
        tokens: Int[Tensor, "batch n"],
        positions: Int[Tensor, " n"],
        n_prompt: int | Int[Tensor, " batch"] | None = None,
    ) -> Bool[Tensor, "batch n"]:
        """Whether each token is meant, for the tokens at these positions of their sequences.

        The answer for a token does not depend on which others are read with it, so that passes
        with a KV cache say together what one pass says.

        Args:
            n_prompt: tokens of the prompt, one number or one for each row.

        Raises ValueError when the part depends on n_prompt and that is None.
        """
        meant = (positions >= self.skip).expand(tokens.shape)
        if self.only:
            meant = meant & torch.isin(tokens, torch.tensor(self.only, device=tokens.device))
        if self.part == "all":
            return meant
        if n_prompt is None:
            raise ValueError(
                f"n_prompt is None; to tell which tokens are {self.part!r}, give the number of "
                "tokens in the prompt."
            )
        end = torch.as_tensor(n_prompt, device=tokens.device).reshape(-1, 1)
        if self.part == "prompt":
            return meant & (positions < end)
        if self.part == "last":
            return meant & (positions == end - 1)
        return meant & (positions >= (end if self.part == "new" else end - 1))


EVERYWHERE = TokenRule()
