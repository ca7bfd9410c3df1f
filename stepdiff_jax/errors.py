"""What a command reports in one line: bad input, and failures from outside."""


class InputError(ValueError):
    """Bad input from a user: one line naming file, field and value.

    The command line prints the message and exits with 2.
    """


class OutsideFailure(Exception):
    """A failure of a server, a disk or another process: one line naming it.

    It says nothing about the records that were being processed, so it is never written down as
    their result. The command line prints the message and exits with 75; starting the same command
    again resumes.
    """
