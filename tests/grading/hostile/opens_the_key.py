"""Knows where the key lies, and runs the solution."""

import runpy

# %%
names = runpy.run_path("@KEY@/toy.py")

# %%
raise ValueError(open("@KEY@/toy.ipynb").read())

# %%
raise ValueError(open("@HOME@/canary.txt").read())
