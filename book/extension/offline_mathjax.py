"""Serves MathJax from the book itself, so that formulas need no other host.

The SVG build is one file and loads no fonts, so it also works on pages opened as files.
"""

from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

SCRIPT = "mathjax/tex-svg-full.js"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx; raises ExtensionError if the package that carries MathJax is missing."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None:
        raise ExtensionError(
            "sphinx-mathjax-offline is not installed; `make book` installs it, "
            "or run `pip install -c constraints.txt -e '.[book]'`"
        )
    source = Path(package.origin).parent / "static" / SCRIPT

    def copy(app: Sphinx, error: Exception | None) -> None:
        if error is None:
            target = Path(app.outdir) / "_static" / SCRIPT
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(source, target)

    app.config.mathjax_path = SCRIPT
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
