"""One Python file per experiment; each defines `experiment()`, or `experiment(size)`.

Importing this package registers its files as configs: `stepdiff train stepdiff@llama2-7b`.
"""

from pathlib import Path

from stepdiff_jax.config_files import CONFIG_ALIASES, CONFIG_PATH

CONFIG_PATH.append(Path(__file__).parent)
CONFIG_ALIASES.update(
    (f"{name}_{size}", f"{name}@llama2-{size}")
    for name in ("stepdiff", "interleaved", "vclm")
    for size in ("7b", "13b", "70b")
)
"""Short names of the paper's experiments."""
