"""Writes wherever it might be read by others."""

import os
import sys

places = [
    "/",
    "/usr/lib",
    "/usr/local",
    "/grader",
    "/grader/course_lib",
    "/dev",
    "/etc",
    "/var/tmp",
]
places += [sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), "@KEY@", "@HOME@", "@OUT@"]
written = []
for place in places:
    try:
        with open(os.path.join(place, "hostile.pth"), "w") as file:
            file.write("import os")
        written.append(place)
    except OSError:
        continue
if written:
    raise ValueError("@CANARY@" + str(written))
