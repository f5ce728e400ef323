"""Tells what the machine refuses from what is wrong with a job: a full disk, or no more files, processes or threads."""

from __future__ import annotations

import errno

REFUSALS = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT})
"""Of errno(3). ENOMEM is not among them: a job may itself be what takes the memory."""
NO_THREAD = "can't start new thread"
"""What Python's RuntimeError says where the system gives no more threads."""


def refusal(error: BaseException | None) -> str:
    """What the machine refused, if that is what an error comes from; else ""."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in REFUSALS:
            return str(error.strerror)
        if isinstance(error, RuntimeError) and NO_THREAD in str(error):
            return NO_THREAD
        error = error.__cause__ or error.__context__
    return ""
