"""The state of generation has one layout on a mesh, from the first call to the last."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import configs.kitchen
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.inference.abstract import abstract_inference_model
from stepdiff_jax.inference.decoding import advance, idle, insert, state_layout
from stepdiff_jax.inference.mesh import inference_meshes
from stepdiff_jax.layout import PackedRows


def test_it_is_never_whole_on_one_device_and_never_changes():
    experiment = configs.kitchen.experiment()
    llama = dataclasses.replace(experiment.llama, layers=1)
    experiment = dataclasses.replace(experiment, llama=llama)
    meshes = inference_meshes(experiment, MeshConfig(data=4, fsdp=1, tensor=2))
    model = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype, device=leaf.sharding),
        abstract_inference_model(experiment, meshes),
    )
    wanted = state_layout(meshes.language)

    def laid_out(state):
        return jax.tree.all(
            jax.tree.map(
                lambda array, sharding: array.sharding.is_equivalent_to(sharding, array.ndim),
                state,
                wanted,
            )
        )

    state = idle(model, batch=8, length=16, branches=2, new_tokens=3)
    cache = state.cache.key
    assert cache.addressable_shards[0].data.size == cache.size // 8
    assert laid_out(state)
    tokens = np.ones((4, 16), np.int32)
    rows = PackedRows(tokens, -tokens, tokens, tokens, 0 * tokens, 0 * tokens)
    latents = np.zeros((4, 1, experiment.resampler.latents, llama.width), np.float32)
    ends = np.array([2], np.int32)
    state = insert(model, state, rows, latents, np.arange(4, dtype=np.int32), ends)
    assert laid_out(state)
    state, _, _ = advance(model, state, np.int32(8), ends)
    assert laid_out(state)
