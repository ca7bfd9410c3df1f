"""Options of XLA's compiler by kind of chip: one table for training, inference and `stepdiff aot`.

They are given to `jax.jit`, so a program that is compiled ahead of time and saved has the same ones
as a program that is compiled where it runs. `docs/scaling.md` says what each is worth.
"""

from jax.sharding import Mesh

OPTIONS: dict[str, dict[str, str]] = {
    "TPU v5 lite": {
        # Below this size a product with a gathered weight is cut into a ring of narrow pieces.
        "xla_jf_spmd_threshold_for_windowed_einsum_mib": "1000000",
    },
}
"""Options by `jax.Device.device_kind`; other compilers than libtpu's refuse them."""


def compile_options(mesh: Mesh) -> dict[str, str] | None:
    """The `compiler_options` of `jax.jit` for a mesh's devices, attached or not.

    None if there are none, as on CPU and GPU.
    """
    return OPTIONS.get(mesh.devices.flat[0].device_kind)
