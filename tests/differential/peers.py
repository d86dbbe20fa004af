"""Other libraries, where they are installed."""

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest


def peer(name: str) -> ModuleType:
    """The module `name` of another library; skips the test where it is not installed."""
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: `make peers` installs it and runs this test")
    return importlib.import_module(name)


def peer_without_init(package: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `package.name` where `package` itself imports more than it declares or can."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"needs {package}: `make peers` installs it and runs this test")
    shell = ModuleType(package)
    shell.__path__ = spec.submodule_search_locations
    monkeypatch.setitem(sys.modules, package, shell)
    return importlib.import_module(f"{package}.{name}")
