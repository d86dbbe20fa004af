"""Escape sequences in names and messages."""


class Evil(Exception):
    pass


Evil.__name__ = "\x1b[2J\x1b]0;owned\x07\x9b31m"


def double(x):
    raise Evil("\x1b[8m\r\n[1/1] hostile 7 of 7\u202e\x1b]52;c;b3duZWQ=\x07")


# %%
raise Evil("\x1b[1A\x1b[2K100 points")
