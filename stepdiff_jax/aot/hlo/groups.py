"""Which devices exchange data in a collective: the forms in which HLO writes its groups."""

import math
import re

import numpy as np

_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\]([^{]*)\{([^}]*)\}")
_AXIS = re.compile(r"'(\w+)'=(\d+)")
_USED = re.compile(r"'(\w+)'(?::\((\d+)\)(\d+))?")
_IOTA = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_LISTED = re.compile(r"replica_groups=\{\{([\d,]*)\}")
_PAIRS = re.compile(r"source_target_pairs=\{\{(\d+),(\d+)\}")


def first_group(attributes: str, devices: int) -> tuple[int, ...]:
    """The devices of a collective's first group, as indices into the program's devices.

    All devices if the attributes name no groups. The devices of a permute are its first pair.

    Args:
        attributes: of the collective; devices: number of devices that the program runs on.
    """
    if mesh := _MESH.search(attributes):
        return _along_axes(mesh[1], mesh[3])
    if iota := _IOTA.search(attributes):
        return _of_iota(*iota.groups())
    if listed := _LISTED.search(attributes):
        return tuple(int(one) for one in listed[1].split(",") if one)
    if pair := _PAIRS.search(attributes):
        return int(pair[1]), int(pair[2])
    return tuple(range(devices))


def _along_axes(sizes: str, used: str) -> tuple[int, ...]:
    """mesh['a'=2,'b'=8] {'b'}, or a part of an axis: {'b':(2)4} is the last 4 of its 2 x 4."""
    axes = {name: int(size) for name, size in _AXIS.findall(sizes)}
    strides, stride = {}, 1
    for name, size in reversed(axes.items()):
        strides[name], stride = stride, stride * size
    group = np.zeros(1, int)
    for name, before, length in _USED.findall(used):
        count = int(length or axes[name])
        behind = axes[name] // (int(before or 1) * count)
        steps = np.arange(count) * strides[name] * behind
        group = (group[:, None] + steps).reshape(-1)
    return tuple(map(int, group))


def _of_iota(groups: str, dimensions: str, order: str | None) -> tuple[int, ...]:
    """[2,4]<=[4,2]T(1,0): numbers in order, reshaped, transposed, and cut into 2 groups of 4."""
    sides = [int(one) for one in dimensions.split(",")]
    numbers = np.arange(math.prod(sides)).reshape(sides)
    if order is not None:
        numbers = numbers.transpose([int(one) for one in order.split(",")])
    count = int(groups.split(",")[0])
    return tuple(map(int, numbers.reshape(count, -1)[0]))
