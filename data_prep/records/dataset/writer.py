"""Writes a dataset's records so that the same examples give the same bytes in every process."""

from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow_datasets.core.writer import ExampleWriter
from tensorflow_datasets.proto import tf_example_pb2


class SortedWriter(ExampleWriter):
    """TFDS's own writer, but with a record's fields in the order of their names.

    TFDS leaves it to protobuf, which orders the fields of a map anew in every process: a run that
    was killed and started again would leave other bytes than one that was not.
    """

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """See `ExampleWriter`."""
        return super().write(path, _sorted(examples))


def _sorted(examples: Iterable[tuple[Any, bytes]]) -> Iterator[tuple[Any, bytes]]:
    for key, data in examples:
        example = tf_example_pb2.Example.FromString(data)
        yield key, example.SerializeToString(deterministic=True)
