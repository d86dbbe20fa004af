"""Folding leading axes loses nothing, whichever of them change x."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.probes import fit
from course_lib.probes.layout import Layout


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_folded_products_with_x_are_broadcast_products(data):
    lead = data.draw(st.lists(st.integers(1, 3), max_size=4))

    def some_of_it():
        tail = lead[data.draw(st.integers(0, len(lead))) :]
        return [data.draw(st.sampled_from([1, size])) for size in tail]

    x_lead, t_lead = some_of_it(), some_of_it()
    x, t = torch.randn(*x_lead, 5, 2), torch.randn(*t_lead, 5)
    layout = Layout.of(x_lead, t_lead)
    assert layout.lead == torch.broadcast_shapes(tuple(x_lead), tuple(t_lead))
    folded = layout.fold(t) @ layout.fold_x(x)
    expected = (t[..., None] * x).sum(-2)
    assert torch.allclose(layout.unfold(folded), expected, atol=1e-5)


def test_leading_axes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\[2\], \[3\].*do not broadcast"):
        fit(torch.randn(2, 6, 4), torch.zeros(3, 6).long())
