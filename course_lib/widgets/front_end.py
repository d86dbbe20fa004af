"""Whether somebody sits in front of the kernel who could press a button."""

import os
import sys


def live() -> bool:
    """True in a notebook that a reader has open, False where cells are run to be read later.

    A front end says with each cell whether it could ask for input. JupyterLab, Jupyter Notebook and
    VS Code could; nbclient, and with it nbconvert and jupyter-book, and nbval could not. Colab asks
    in a way of its own. COURSE_STATIC=1 in the environment makes the answer False everywhere.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None or os.environ.get("COURSE_STATIC"):
        return False
    asks = kernel.get_parent("shell").get("content", {}).get("allow_stdin", False)
    return bool(asks) or "google.colab" in sys.modules
