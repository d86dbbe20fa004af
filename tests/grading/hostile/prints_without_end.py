"""Gigabytes on every way out that a program has."""

import os
import sys

# %%
for _ in range(300):
    os.write(1, b"x" * 10**6)
    os.write(2, b"\x1b[2J" * 10**5)
    sys.stdout.write("y" * 10**6)
