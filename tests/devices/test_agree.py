"""CUDA and MPS give what the CPU gives, within the tolerances of `tools/devices.py`."""

import pytest
import torch

from course_lib.runtime import device
from tests.devices.cases import CASES
from tools.devices import TOLERANCES


def there(name):
    try:
        return bool(device(name))
    except ValueError:
        return False


def cast(device, dtype):
    """What puts tensors and modules on a device, floating point numbers in a dtype."""
    return lambda x: x.to(device, dtype)


# The CPU's float64 stands in for a device that rounds otherwise, where there is no other.
PLACES = {"float64": cast("cpu", torch.float64)} | {
    name: cast(name, torch.float32) for name in ("cuda", "mps")
}
REFERENCE = cast("cpu", torch.float32)


@pytest.fixture(autouse=True)
def draws_of_the_cpu(monkeypatch):
    """Random numbers that a loss draws on its device, from the CPU's generator."""
    rand = torch.rand

    def on_cpu(*size, device=None, **rest):
        return rand(*size, **rest).to(device or "cpu")

    monkeypatch.setattr(torch, "rand", on_cpu)


def apart(found, expected):
    """For each tensor the largest difference, in units of the largest entry."""
    return {
        name: float((found[name].cpu().double() - x.double()).abs().max() / x.abs().max())
        for name, x in expected.items()
        if x.any() or found[name].any()
    }


def computed(case, put):
    return {name: x.detach() for name, x in CASES[case][1](put).items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("place", PLACES)
def test_a_device_gives_what_the_cpu_gives(place, case):
    if place != "float64" and not there(place):
        pytest.skip(f"no {place} in this machine")
    found = apart(computed(case, PLACES[place]), computed(case, REFERENCE))
    bound = TOLERANCES[CASES[case][0]].bound
    assert len(found) >= 2
    assert {name: x for name, x in found.items() if not x <= bound} == {}


@pytest.mark.parametrize("case", CASES)
def test_a_device_that_rounds_to_half_the_digits_is_found_out(case):
    def coarse(x):
        return x.to(torch.bfloat16).to(torch.float32)

    found = apart(computed(case, coarse), computed(case, REFERENCE))
    assert max(found.values()) > TOLERANCES[CASES[case][0]].bound


def test_every_tolerance_is_of_some_case():
    assert {kind for kind, _ in CASES.values()} == set(TOLERANCES)
