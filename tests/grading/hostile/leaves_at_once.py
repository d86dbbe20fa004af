"""Ends the process in each cell, and in each function."""

import os

# %%
os._exit(0)

# %%
os.kill(os.getpid(), 9)


# %%
def double(x):
    os._exit(0)
