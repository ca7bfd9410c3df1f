"""Checks the chat template stored beside a tokenizer against its family's."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from stepdiff_jax.data.chat import Rendered, in_template
from stepdiff_jax.data.prompts import Conversation, Text, Turn, Video
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Family
from stepdiff_jax.jsonl import shorten

TEMPLATE_FILE = "chat_template.jinja"
CONFIG_FILE = "tokenizer_config.json"
"""Hugging Face's files: the template alone, or a field of the tokenizer's configuration."""

SYSTEM, USER = "You compare videos.", "what differs"


def check_chat_template(directory: Path, family: Family) -> None:
    """Check the template in `directory`, if any, by rendering a system and a user turn.

    Raises:
        InputError: a file cannot be read, or the template fails or renders something other than
            the family's own.
    """
    found = _stored_template(directory)
    if found is None:
        return
    path, template = found
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    theirs = family.comparable(_render(path, template, messages, family))
    asked = (Turn("system"), Text(SYSTEM), Turn("user"), Text(USER), Turn("assistant"))
    ours = family.bos + _spelled(in_template(Conversation(asked), family).prefix)
    if theirs != ours:
        raise InputError(
            f"{path}: its chat template is not that of llama.family {family.name}: it renders "
            f"{shorten(theirs)}, the family's {shorten(ours)}"
        )


def _stored_template(directory: Path) -> tuple[Path, str] | None:
    """The template and its file; None if there is none, as for a model without chat."""
    path = directory / TEMPLATE_FILE
    try:
        if path.is_file():
            return path, path.read_text(encoding="utf-8")
        path = directory / CONFIG_FILE
        if not path.is_file():
            return None
        stored = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if isinstance(stored, list):  # several named templates, "default" being for chat
        named = {one.get("name"): one.get("template") for one in stored if isinstance(one, dict)}
        stored = named.get("default")
    return (path, stored) if isinstance(stored, str) else None


def _render(path: Path, template: str, messages: list[dict[str, str]], family: Family) -> str:
    """Render as transformers does: sandboxed Jinja with a few extra functions."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> Any:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {
        "raise_exception": refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    try:
        return environment.from_string(template).render(
            messages=messages,
            add_generation_prompt=True,
            bos_token=family.bos,
            eos_token=family.end,
        )
    except Exception as error:  # a template may raise anything
        raise InputError(f"{path}: its chat template fails: {error}") from error


def _spelled(parts: tuple[Rendered, ...]) -> str:
    texts = []
    for part in parts:
        assert not isinstance(part, Video)
        texts.append(part.text if isinstance(part, Text) else part.name)
    return "".join(texts)
