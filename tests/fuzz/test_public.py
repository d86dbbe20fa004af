"""Whatever is called with whatever, it returns or says in a sentence of ours what is wrong."""

import os
import tempfile

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib import sae, validate
from tests.fuzz.census import exports, subjects
from tests.fuzz.hostile import any_value, hostile
from tests.fuzz.judge import complaint, little_memory
from tests.fuzz.valid import arguments

SKIPPED = {"data.Retold": "needs a tokenizer of transformers; tests/data/test_retold.py has one"}
SUBJECTS = [name for name in subjects() if name not in SKIPPED]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))


@pytest.fixture(autouse=True)
def a_place_and_a_limit_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    plt.switch_backend("agg")
    with little_memory():
        yield
    plt.close("all")


def said(subject, wrong):
    """What is to be complained of when these arguments take the place of right ones."""
    given = arguments(subject) | wrong
    return complaint(lambda: subject.run(given), subject.documentation)


@pytest.mark.parametrize("name", SUBJECTS)
def test_each_parameter_takes_or_refuses_what_it_is_given(name):
    subject = subjects()[name]
    subject.run(arguments(subject))  # a right call succeeds, and imports what it needs
    unclear = {}
    for parameter in subject.kinds:
        for words, value in hostile(subject, parameter).items():
            told = said(subject, {parameter: value})
            if parameter != "self" and told:
                unclear.setdefault(parameter, {})[words] = told
    assert unclear == {}


@pytest.mark.parametrize("name", SUBJECTS)
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES < 100,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.data())
def test_drawn_values_are_taken_or_refused(name, data):
    subject = subjects()[name]
    parameters = [name for name in subject.kinds if name != "self" and hostile(subject, name)]
    if parameters:
        several = st.lists(st.sampled_from(parameters), min_size=1, max_size=3, unique=True)
        chosen = data.draw(several)
        wrong = {name: data.draw(any_value(subject, name)) for name in chosen}
        assert said(subject, wrong) is None


def test_what_is_skipped_is_public_and_little_is():
    assert set(SKIPPED) <= set(subjects())
    called = {name for _, name, value in exports() if callable(value)}
    assert {"TopKSAE", "fvu", "ToyModel", "steer", "probe"} <= called


def test_an_error_of_torch_or_of_python_is_a_finding_and_one_of_ours_is_not():
    def from_torch():
        torch.ones(2) @ torch.ones(3)

    def from_python():
        sae.fvu(1)

    def of_ours():
        validate.positive_int("n", 0)

    def undocumented():
        sae.TopKSAE(2, 3, 1, n_instances=2).instance(7)

    assert "RuntimeError" in complaint(from_torch) and "TypeError" in complaint(from_python)
    assert complaint(of_ours) is None and complaint(undocumented, "Raises IndexError.") is None
    assert "IndexError" in complaint(undocumented)
