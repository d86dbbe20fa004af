"""Asks the network, near and far, for help."""

import socket

PORT = int("@PORT@")
reached = []
for host, port in (("127.0.0.1", PORT), ("localhost", PORT), ("1.1.1.1", 53), ("::1", PORT)):
    try:
        socket.create_connection((host, port), timeout=1).sendall(b"hello")
        reached.append((host, port))
    except OSError:
        continue
for name in ("/run/docker.sock", "/var/run/docker.sock", "\0@CANARY@"):
    try:
        socket.socket(socket.AF_UNIX).connect(name)
        reached.append(name)
    except OSError:
        continue
if reached:
    raise ValueError("@CANARY@" + str(reached))
