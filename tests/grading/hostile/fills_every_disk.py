"""Writes until nothing more fits, wherever it may."""

import os

written = 0
for place in ("/tmp", "/dev/shm", "/dev", "/var/tmp", "."):
    try:
        for k in range(100):
            with open(os.path.join(place, f"fill{k}"), "wb") as file:
                for _ in range(7):
                    written += file.write(b"x" * 2**20)
    except OSError:
        continue
if written > 200 * 2**20:
    raise ValueError(f"@CANARY@ {written}")
