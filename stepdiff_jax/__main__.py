"""`python -m stepdiff_jax` is `stepdiff`."""

import sys

from stepdiff_jax.cli import main

if __name__ == "__main__":
    sys.exit(main())
