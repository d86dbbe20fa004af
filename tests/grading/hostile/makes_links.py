"""Links and devices that lead out."""

import os
import stat

for number, target in enumerate(("@KEY@", "@HOME@/canary.txt", "/proc/1/root", "/proc/self/exe")):
    try:
        os.symlink(target, f"/tmp/link{number}")
        text = open(f"/tmp/link{number}", errors="replace").read()
    except OSError:
        continue
    raise ValueError("@CANARY@" + text)

# %%
os.mknod("/tmp/disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))
raise ValueError("@CANARY@")
