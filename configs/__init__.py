"""One Python file an experiment; each defines `experiment()`.

Importing this package makes its files configs by name: `stepdiff train stepdiff_7b`.
"""

from pathlib import Path

from stepdiff_jax.config_files import CONFIG_PATH

CONFIG_PATH.append(Path(__file__).parent)
