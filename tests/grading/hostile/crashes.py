"""A null pointer, and a stack that is too deep."""

import ctypes
import sys


# %%
def double(x):
    sys.setrecursionlimit(10**9)
    double(x)


# %%
ctypes.string_at(0)
