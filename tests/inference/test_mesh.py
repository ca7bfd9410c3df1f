"""Which mesh inference takes, by the language model's shape and the devices' memory."""

from dataclasses import replace

import jax
import pytest

from stepdiff_jax.config import Experiment, LlamaConfig, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_size
from stepdiff_jax.inference.mesh import check_tensor, inference_meshes, vision_mesh

GIB = 1 << 30
SMALL = Experiment(
    "small", llama=LlamaConfig(width=32, layers=1, heads=8, kv_heads=2, mlp_width=64)
)


def sizes(experiment: Experiment, *arguments, **options) -> dict[str, int]:
    return dict(inference_meshes(experiment, *arguments, **options).language.shape)


def test_a_model_that_fits_one_device_is_copied_to_each():
    assert sizes(SMALL) == {"data": 8, "tensor": 1, "group": 1}
    assert sizes(SMALL, memory=GIB) == {"data": 8, "tensor": 1, "group": 1}


@pytest.mark.parametrize(
    ("size", "memory", "tensor"),
    [
        ("llama2-7b", 16, 2),  # 12.6 GiB
        ("llama2-7b", 80, 1),
        ("llama2-13b", 16, 4),  # 24.2 GiB; 40 heads
        ("llama2-70b", 32, 8),  # 128.5 GiB
        ("llama2-70b", 16, 8),  # does not fit: as many devices as there are
    ],
)
def test_tensor_is_the_smallest_that_fits(size, memory, tensor):
    experiment = Experiment(size, llama=find_size(size).config)
    found = sizes(experiment, memory=memory * GIB)
    assert found["tensor"] * found["group"] == tensor
    assert found["data"] == 8 // tensor


def test_heads_that_are_fewer_than_the_devices_are_shared_by_groups():
    meshes = inference_meshes(SMALL, MeshConfig(data=1, fsdp=1, tensor=8))
    assert dict(meshes.language.shape) == {"data": 1, "tensor": 2, "group": 4}
    assert dict(meshes.vision.shape) == {"data": 8, "tensor": 1, "group": 1}
    assert list(meshes.language.devices.flat) == list(meshes.vision.devices.flat)


def test_an_encoder_alone_is_on_every_device():
    assert dict(vision_mesh().shape) == {"data": len(jax.devices()), "tensor": 1, "group": 1}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (MeshConfig(fsdp=2, data=-1), "mesh.fsdp: inference keeps the weights in place"),
        (MeshConfig(fsdp=1, tensor=3), "do not make up 8 devices"),
        (MeshConfig(fsdp=1, tensor=-1), None),
    ],
)
def test_other_meshes_are_refused(config, message):
    if message is None:
        assert sizes(SMALL, config)["data"] == 1
        return
    with pytest.raises(InputError, match=message):
        inference_meshes(SMALL, config)


def test_a_width_that_does_not_divide_is_named():
    with pytest.raises(InputError, match=r"16 devices do not divide llama\.heads, 40"):
        check_tensor(find_size("llama2-13b").config, 16)
    narrow = replace(SMALL.llama, mlp_width=60)
    with pytest.raises(InputError, match=r"8 devices do not divide llama\.mlp_width"):
        check_tensor(narrow, 8)
