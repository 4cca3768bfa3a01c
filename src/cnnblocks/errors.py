"""Errors whose message is written for the person at the keyboard."""


class CnnblocksError(Exception):
    """Something the user can mend.

    The message says what was expected, what came, and what to do next. The command line and the
    terminal program show it as one line, without a traceback. Every room's own errors derive from
    it (and from the built-in error that fits, such as `ValueError`).
    """
