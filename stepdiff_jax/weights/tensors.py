"""Which stored tensor fills each array of a model, validated before any is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Tensor
from stepdiff_jax.weights.tensor_files import DTYPES, TensorFiles

NAMED_PROBLEMS = 4
"""Maximum number of tensors that an error names; the rest are counted."""


@dataclass(frozen=True)
class Ignored:
    """A tensor that is in the files but not in the model, and why this is expected."""

    file: str
    key: str
    reason: str


@dataclass(frozen=True)
class Row:
    """The source of an array or a part of it; shape and dtype are as stored."""

    target: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    key: str


@dataclass(frozen=True)
class Report:
    """Which array is loaded from where."""

    path: str
    kind: str
    rows: tuple[Row, ...]
    ignored: tuple[Ignored, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """The whole table, one line per tensor."""
        cells = [
            (row.target, "x".join(map(str, row.shape)) or "()", row.dtype, row.file, row.key)
            for row in self.rows
        ]
        cells += [
            ("ignored:", "", "", one.file, f"{one.key} ({one.reason})") for one in self.ignored
        ]
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in cells
        )
        return "\n".join((self.summary(), *lines))

    def summary(self) -> str:
        """A one-line summary."""
        files = len({row.file for row in self.rows})
        dtypes = "/".join(sorted({row.dtype for row in self.rows}))
        left = f", {len(self.ignored)} ignored" if self.ignored else ""
        return f"{self.path}: {self.kind}: {len(self.rows)} tensors {dtypes}, files {files}{left}"


def check(files: TensorFiles, tensors: Iterable[Tensor], ignored: Sequence[Ignored] = ()) -> None:
    """As `check_shapes`, for files and the tensors that a model loads from them.

    Raises:
        InputError: also if one of these tensors does not hold floating-point numbers.
    """
    tensors = tuple(tensors)
    for tensor in tensors:
        stored = files.tensors.get(tensor.name)
        if stored is not None and stored.dtype not in DTYPES:
            raise InputError(
                f"{stored.file}: tensor {tensor.name} has dtype {stored.dtype}; known: "
                f"{', '.join(DTYPES)}"
            )
    skipped = {one.key for one in ignored}
    check_shapes(
        files.path,
        {tensor.name: tensor.shape for tensor in tensors},
        {name: one.shape for name, one in files.tensors.items() if name not in skipped},
        {name: one.file for name, one in files.tensors.items()},
    )


def check_shapes(
    path: Path,
    expected: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
    files: Mapping[str, Path] | None = None,
) -> None:
    """Check that a checkpoint has exactly the model's tensors, with the same shapes.

    Args:
        path: the checkpoint's path, for the message.
        expected, found: name -> shape, in the model and in the checkpoint.
        files: name -> the checkpoint file with that tensor, if there are several.
    Raises:
        InputError: one line that names missing, unknown or misshapen tensors and their files.
    """

    def where(name: str) -> str:
        file = (files or {}).get(name, path)
        return "" if file == path else f" in {file.name}"

    problems = [f"missing tensor {name}" for name in expected if name not in found]
    for name, shape in found.items():
        if name not in expected:
            problems.append(f"unknown tensor {name}{where(name)}")
        elif shape != expected[name]:
            problems.append(f"{name}{where(name)} has shape {shape}, the model {expected[name]}")
    if problems:
        more = len(problems) - NAMED_PROBLEMS
        raise InputError(
            f"{path}: "
            + "; ".join(problems[:NAMED_PROBLEMS])
            + (f"; and {more} more" if more > 0 else "")
        )


def report(
    files: TensorFiles, tensors: Iterable[Tensor], kind: str, ignored: Sequence[Ignored] = ()
) -> Report:
    """The table of a load that has passed `check`."""
    rows = []
    for tensor in tensors:
        stored = files.tensors[tensor.name]
        part = "" if tensor.layer is None else f"[{tensor.layer}]"
        if tensor.rows is not None:
            part = " from rows {}:{}".format(*tensor.rows)
        rows.append(
            Row(tensor.target + part, stored.shape, stored.dtype, stored.file.name, tensor.name)
        )
    return Report(str(files.path), kind, tuple(rows), tuple(ignored))
