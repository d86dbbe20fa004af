"""The one error that gives no grade."""


class NoSandbox(Exception):
    """Isolation is not to be had here; the message says why and what to do."""
