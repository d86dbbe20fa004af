"""Uses no CPU and never ends; nor do its functions."""

import time


def double(x):
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue
