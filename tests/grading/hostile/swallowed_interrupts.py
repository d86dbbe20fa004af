"""A loop that swallows every exception and turns every signal off."""

import signal
import time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            time.sleep(0.001)
            sum(range(10000))
    except BaseException:
        continue
