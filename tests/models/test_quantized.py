"""A quantised Llama: its arrays, its gradient to the inputs, its shards and its loading."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P

from models.test_llama_memory import loops_of_gradient, stacked_outputs
from references.llama_state import from_state_dict, to_state_dict
from references.models import filled
from stepdiff_jax.config import LlamaConfig, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.llama2 import LLAMA_2_7B, LLAMA_2_70B
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.sharding import make_mesh, state_shardings
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.modules import load_weights
from stepdiff_jax.weights.native import save_weights

CONFIG = LlamaConfig(
    vocabulary_size=64,
    width=256,
    layers=2,
    heads=4,
    kv_heads=2,
    mlp_width=512,
    dtype="float32",
    remat=False,
)
MATRICES = {"query", "key", "value", "output", "gate", "up", "down"}
BOTH = pytest.mark.parametrize("quantization", ["int8", "int4"])
random = np.random.default_rng(0)
INPUTS = random.normal(size=(2, 8, CONFIG.width)).astype(np.float32)
POSITIONS = np.tile(np.arange(8), (2, 1))
MASK = np.tile(np.tri(8, dtype=bool), (2, 1, 1))


def abstract(config: LlamaConfig) -> Llama:
    return nnx.eval_shape(lambda: Llama(config, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "llama.safetensors"
    save_weights(filled(lambda: Llama(CONFIG, rngs=nnx.Rngs(0)), seed=3), path)
    return path


@cache
def loaded(path, quantization: str) -> Llama:
    return load_weights(abstract(replace(CONFIG, quantization=quantization)), path)


@jax.jit
def loss_and_gradient(model: Llama, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """By the inputs, as a resampler sees it."""

    def loss(inputs: jax.Array) -> jax.Array:
        hidden, _ = model(inputs, POSITIONS, MASK)
        return jnp.mean(jax.nn.logsumexp(model.logits(hidden), axis=-1))

    return jax.value_and_grad(loss)(inputs)


def relative(found: jax.Array, wanted: jax.Array) -> float:
    found, wanted = np.asarray(found), np.asarray(wanted)  # they may lie on different devices
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@BOTH
def test_an_abstract_70b_has_integers_in_its_layers_and_nothing_is_computed(quantization):
    state = nnx.to_pure_dict(nnx.state(abstract(replace(LLAMA_2_70B, quantization=quantization))))
    for name in MATRICES:
        values, scales = state["blocks"][name]["values"], state["blocks"][name]["scales"]
        assert values.dtype == quantization and scales.dtype == jnp.bfloat16
        tiles = 1 if quantization == "int8" else values.shape[1] // 128
        assert scales.shape == (80, tiles, values.shape[2])
    rest = [state["embedding"], state["head"], state["norm"], state["blocks"]["mlp_norm"]]
    assert {array.dtype for array in rest} == {jnp.dtype(jnp.bfloat16)}
    assert state["blocks"].keys() == MATRICES | {"attention_norm", "mlp_norm"}


@pytest.mark.parametrize("quantization, tolerance", [("int8", 0.05), ("int4", 0.5)])
def test_gradient_to_the_inputs_is_close_to_full_precision(weights, quantization, tolerance):
    loss, gradient = loss_and_gradient(loaded(weights, ""), INPUTS)
    quantized_loss, quantized = loss_and_gradient(loaded(weights, quantization), INPUTS)
    error = relative(quantized, gradient)
    print(f"{quantization}: gradient off by {error:.4f}, loss by {quantized_loss - loss:.5f}")
    assert 0 < error < tolerance
    assert abs(quantized_loss - loss) < 0.02 * tolerance * loss


@BOTH
def test_the_model_is_that_of_its_dequantised_weights(weights, quantization):
    model = loaded(weights, quantization)
    graph, state = nnx.split(loaded(weights, ""))
    for name in MATRICES:
        weight = getattr(model.blocks, name)
        array, scale = weight.values[...], weight.scales[...]
        wide = np.repeat(scale, array.shape[1] // scale.shape[1], axis=1)
        expanded = jnp.asarray(array.astype(jnp.float32) * wide)
        state["blocks"][name] = state["blocks"][name].replace(expanded)
    found = loss_and_gradient(model, INPUTS)[1]
    assert relative(found, loss_and_gradient(nnx.merge(graph, state), INPUTS)[1]) < 1e-5


@BOTH
def test_shards_give_what_one_device_gives(weights, quantization):
    model = loaded(weights, quantization)
    graph, state = nnx.split(model)
    shardings = state_shardings(state, make_mesh(MeshConfig(fsdp=2, tensor=4)))
    placed = jax.device_put(state, shardings)
    gate, down = placed["blocks"]["gate"], placed["blocks"]["down"]
    int4 = quantization == "int4"
    assert gate["values"].get_value().sharding.spec == P(None, "fsdp", "tensor")
    assert gate["scales"].get_value().sharding.spec == P(None, "fsdp" if int4 else None, "tensor")
    assert down["scales"].get_value().sharding.spec == P(None, "tensor" if int4 else None, "fsdp")
    assert fingerprint(placed) == fingerprint(state)
    loss, gradient = loss_and_gradient(model, INPUTS)
    sharded_loss, sharded = loss_and_gradient(nnx.merge(graph, placed), INPUTS)
    assert relative(sharded, gradient) < 1e-5
    np.testing.assert_allclose(sharded_loss, loss, rtol=1e-6)


def test_one_value_or_scale_changes_the_fingerprint(weights):
    for part in ("values", "scales"):
        state = nnx.state(loaded(weights, "int4"))
        before = fingerprint(state)
        variable = state["blocks"]["up"][part]
        changed = variable.get_value().at[1, 0, 7].add(1)
        state["blocks"]["up"][part] = variable.replace(changed)
        assert fingerprint(state) != before


def test_large_tiles_that_a_mesh_does_not_divide_are_replicated_there():
    state = nnx.state(abstract(replace(LLAMA_2_7B, quantization="int4")))
    down = state_shardings(state, make_mesh(MeshConfig(fsdp=2, tensor=4)))["blocks"]["down"]
    assert down["values"].get_value().spec == P(None, "tensor", "fsdp")
    assert down["scales"].get_value().spec == P(None, None, "fsdp")  # 86 tiles on 4 devices


@pytest.mark.parametrize("remat", [True, False])
@BOTH
def test_no_expanded_weight_is_kept_for_the_backward_pass(quantization, remat):
    config = replace(LLAMA_2_7B, quantization=quantization, remat=remat)
    matrices = {(config.width, config.width), (config.width, config.mlp_width)}
    for loop in loops_of_gradient(config):
        kept = {tuple(sorted(shape[-2:])) for shape in stacked_outputs(loop)}
        assert not kept & matrices


@BOTH
def test_a_file_is_quantised_as_a_checkpoint_is(weights, quantization):
    checkpoint = to_state_dict(nnx.to_pure_dict(nnx.state(loaded(weights, ""))), CONFIG)
    config = replace(CONFIG, quantization=quantization)
    model = abstract(config)
    nnx.update(model, from_state_dict(checkpoint, config))
    assert fingerprint(nnx.state(model)) == fingerprint(nnx.state(loaded(weights, quantization)))


def test_a_quantised_model_is_not_written(weights, tmp_path):
    model = loaded(weights, "int8")
    with pytest.raises(InputError, match="a quantised model is not saved"):
        save_weights(model, tmp_path / "llama.safetensors")


def test_a_file_of_another_shape_is_refused(weights):
    config = replace(CONFIG, mlp_width=384, quantization="int8")
    with pytest.raises(InputError, match=r"blocks\.down has shape \(2, 512, 256\), the model"):
        load_weights(abstract(config), weights)
