"""The one exception that bad input from a user raises."""


class InputError(ValueError):
    """Bad input from a user: one line naming file, field and value.

    The command line prints the message and exits with 2.
    """
