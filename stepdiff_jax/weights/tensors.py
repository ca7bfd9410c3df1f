"""Which stored tensor each array of a model comes from, checked before anything is read."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.weights.tensor_files import TensorFiles

NAMED_PROBLEMS = 4
"""Tensors that an error names before it only counts them."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a checkpoint, and where its values stand in a module's `nnx.state`.

    name, shape: in the checkpoint.
    path: of our array; layer: its index on that array's first axis, None where it is not stacked.
    transposed: whether ours is the transpose of its last two axes.
    rows: if only a part of its first axis is ours, the first index and the one behind the last.
    """

    name: str
    shape: tuple[int, ...]
    path: tuple[str, ...]
    layer: int | None = None
    transposed: bool = False
    rows: tuple[int, int] | None = None

    @property
    def target(self) -> str:
        """The name of our array."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Ignored:
    """A tensor that is in the files and not in the model, and why that is right."""

    file: str
    key: str
    reason: str


@dataclass(frozen=True)
class Row:
    """Where one part of one of our arrays comes from; the shape and dtype are the stored ones."""

    target: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    key: str


@dataclass(frozen=True)
class Report:
    """What a load takes from where."""

    path: str
    kind: str
    rows: tuple[Row, ...]
    ignored: tuple[Ignored, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """The whole table, a line for each tensor."""
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
        """One line."""
        files = len({row.file for row in self.rows})
        dtypes = "/".join(sorted({row.dtype for row in self.rows}))
        left = f", {len(self.ignored)} ignored" if self.ignored else ""
        return f"{self.path}: {self.kind}: {len(self.rows)} tensors {dtypes}, files {files}{left}"


def check(files: TensorFiles, tensors: Iterable[Tensor], ignored: Sequence[Ignored] = ()) -> None:
    """InputError on one line that names what is missing, unknown or misshapen, and its file."""
    expected = {tensor.name: tensor.shape for tensor in tensors}
    known = expected.keys() | {one.key for one in ignored}
    problems = [f"missing tensor {name}" for name in expected if name not in files.tensors]
    for name, stored in files.tensors.items():
        if name not in known:
            problems.append(f"unknown tensor {name}{_where(files, name)}")
        elif name in expected and stored.shape != expected[name]:
            problems.append(
                f"{name}{_where(files, name)} has shape {stored.shape}, the model {expected[name]}"
            )
    if problems:
        more = len(problems) - NAMED_PROBLEMS
        raise InputError(
            f"{files.path}: "
            + "; ".join(problems[:NAMED_PROBLEMS])
            + (f"; and {more} more" if more > 0 else "")
        )


def _where(files: TensorFiles, name: str) -> str:
    file = files.tensors[name].file
    return "" if file == files.path else f" in {file.name}"


def report(
    files: TensorFiles, tensors: Iterable[Tensor], kind: str, ignored: Sequence[Ignored] = ()
) -> Report:
    """The table of a load that `check` has passed."""
    rows = []
    for tensor in tensors:
        stored = files.tensors[tensor.name]
        place = "" if tensor.layer is None else f"[{tensor.layer}]"
        if tensor.rows is not None:
            place = " from rows {}:{}".format(*tensor.rows)
        rows.append(
            Row(tensor.target + place, stored.shape, stored.dtype, stored.file.name, tensor.name)
        )
    return Report(str(files.path), kind, tuple(rows), tuple(ignored))
