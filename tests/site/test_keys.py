"""The built pages hold nothing of the problem sets' key."""

import pytest

from tests.grading.problem_sets import SETS, WITHOUT
from tools import key


@pytest.mark.skipif(not SETS, reason=WITHOUT)
def test_no_page_holds_a_piece_of_the_key(site):
    assert key.leaks(site) == []
    assert not [path for path in site.rglob("*") if path.stem in SETS and path.suffix != ".json"]
