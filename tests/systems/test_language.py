"""Choice questions as questions to a language model."""

from typing import ClassVar

from stepdiff_jax.evaluation.system import ChoiceQuestion
from stepdiff_jax.systems.language import Asked, LanguageSystem, Likelihood


class Letters:
    """A model with one token for A and two for other letters, each as likely as any."""

    settings: ClassVar[dict] = {}

    def write(self, asked):
        return []

    def likelihoods(self, asked: list[Asked]) -> list[Likelihood]:
        tokens = [1 if one.answer == "A" else 2 for one in asked]
        return [Likelihood(-0.5 * count, count, one.question) for count, one in zip(tokens, asked)]


def test_a_letter_of_several_tokens_is_no_less_likely():
    question = ChoiceQuestion(("a", "b"), "", "How many?", ("one", "two", "three"), 1)
    (found,) = LanguageSystem(Letters()).answer([question])
    assert found.scores == (-0.5, -0.5, -0.5)
    assert found.tokens == (1, 2, 2)
    assert "B. two" in found.prompts[0]
