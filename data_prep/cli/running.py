"""Options that the stages share: which part of a stage is done, and by whom."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from data_prep.stage.beam.child import end_with_stdin
from data_prep.stage.shards import Shard
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class Running:
    """Which part of a stage is done, and by whom."""

    shard: str = "1/1"
    """i/N: do only part i of N."""
    retry_quarantined: bool = False
    """Try the records in the quarantine file again, and keep the others."""
    beam_runner: str = ""
    """Do the stage in shards with Apache Beam (extra [beam]): DirectRunner, DaskRunner, ..."""
    beam_options: tuple[str, ...] = ()
    """Options of the runner, NAME=VALUE."""
    beam_shards: int | None = None
    """Number of shards; by default one for every 32 records, at most 1000."""

    def open(self, prog: str, arguments: Sequence[str]) -> Shard:
        """The part of the stage that its command is to do.

        Args:
            prog, arguments: the stage's command, which Beam's workers run for each shard.
        Raises:
            InputError: an option is malformed, or Beam is not installed.
        """
        end_with_stdin()
        part = Shard.parse(self.shard)
        if not self.beam_runner:
            check_beam(self.beam_runner, self.beam_options)
            if self.beam_shards is not None:
                raise InputError("--beam-shards needs --beam-runner")
            return Shard(part.number, part.count, self.retry_quarantined)
        if part.count > 1:
            raise InputError(f"--shard {self.shard}: cannot be combined with --beam-runner")
        if self.beam_shards is not None and self.beam_shards < 2:
            raise InputError(f"--beam-shards must be at least 2, got {self.beam_shards}")
        check_beam(self.beam_runner, self.beam_options)
        from data_prep.stage.beam.workers import BeamWorkers

        workers = BeamWorkers(
            (*shlex.split(prog), *arguments), self.beam_runner, self.beam_options, self.beam_shards
        )
        return Shard(retry_quarantined=self.retry_quarantined, workers=workers)


def check_beam(runner: str, options: Sequence[str]) -> None:
    """Check --beam-runner and --beam-options.

    Raises:
        InputError: options without a runner, Beam is not installed, the runner is unknown, or an
            option is malformed.
    """
    if not runner:
        if options:
            raise InputError("--beam-options needs --beam-runner")
        return
    if find_spec("apache_beam") is None:
        raise InputError("--beam-runner needs Apache Beam: pip install 'stepdiff-jax[beam]'")
    from data_prep.stage.beam.pipeline import open_runner, pipeline_options

    open_runner(runner)
    pipeline_options(runner, options)
