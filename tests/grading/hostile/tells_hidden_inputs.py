"""Says each input that it is given in every way it can: words, names, files, time."""

import time


def double(x):
    told = "@CANARY@" if len(SEEN) > 1 else ""
    SEEN.append(x.tolist())
    error = type("E" + str(x.tolist()), (Exception,), {})
    open("/tmp/seen", "a").write(str(x.tolist()))
    time.sleep(0.05)
    raise error(f"{told} {x.tolist()} {open('/tmp/seen').read()}")


SEEN = []
