"""What the tests need to know of an exercise notebook."""

from tools.solved import CHAPTERS, ROOT, CheckCall, check_calls, code_cells, namespace

__all__ = ["CHAPTERS", "ROOT", "CheckCall", "check_calls", "code_cells", "namespace"]
