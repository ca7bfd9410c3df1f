"""The configuration of an exported StepDiff model."""

from typing import Any

from transformers import AutoConfig, PretrainedConfig


class StepDiffConfig(PretrainedConfig):
    """Sizes of the three parts.

    encoder, resampler: sizes by name.
    text_config: the language model's configuration, as transformers has it.
    language_model: where its weights are, a name or a directory; None if they are in this one.
    """

    model_type = "stepdiff"
    is_composition = True

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        resampler: dict[str, Any] | None = None,
        text_config: dict[str, Any] | None = None,
        language_model: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder or {}
        self.resampler = resampler or {}
        fields = dict(text_config or {"model_type": "llama"})
        self.text_config = AutoConfig.for_model(fields.pop("model_type"), **fields)
        self.language_model = language_model

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return super().to_dict() | {"text_config": self.text_config.to_dict()}
