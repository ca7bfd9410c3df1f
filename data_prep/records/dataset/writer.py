"""Writes records so that the same examples give the same bytes in every process."""

from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow_datasets.core.writer import ExampleWriter
from tensorflow_datasets.proto import tf_example_pb2


class SortedWriter(ExampleWriter):
    """TFDS's writer, with the fields of each record sorted by name.

    By default, protobuf orders the fields of a map differently in every process, so a run that was
    killed and restarted would write different bytes from an uninterrupted one.
    """

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """See `ExampleWriter`."""
        return super().write(path, _sorted(examples))


def _sorted(examples: Iterable[tuple[Any, bytes]]) -> Iterator[tuple[Any, bytes]]:
    for key, data in examples:
        example = tf_example_pb2.Example.FromString(data)
        yield key, example.SerializeToString(deterministic=True)
