"""The stages of `stepdiff prep` in order; each is a thin function in this package."""

from data_prep.cli.all import all_command
from data_prep.cli.benchmark import BENCHMARK_STAGES
from data_prep.cli.frames import FRAMES_STAGES
from data_prep.cli.inspect import INSPECT
from data_prep.cli.records import RECORD_STAGES
from data_prep.cli.sources import DIFFERENCES, EXCHANGE, SOURCE_STAGES
from data_prep.cli.text import TEXT_STAGES
from stepdiff_jax.arguments import Command

STAGES: dict[str, Command] = {
    **SOURCE_STAGES,
    **FRAMES_STAGES,
    **TEXT_STAGES,
    **RECORD_STAGES,
    **EXCHANGE,
    **INSPECT,
    **DIFFERENCES,
    **BENCHMARK_STAGES,
}

COMMANDS: dict[str, Command] = {**STAGES, "all": all_command(STAGES)}
"""The commands of `stepdiff prep`."""
