"""What is said in the kitchen: words can be read back, judgements follow the scores."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.kitchen import language
from data_prep.kitchen.world import (
    ATTRIBUTES,
    CATEGORIES,
    KEYSTEPS,
    VALUES,
    Scene,
    sample_scene,
    score,
)
from stepdiff_jax.data.prompts import ranking_question

scenes = st.builds(
    Scene,
    st.integers(0, len(KEYSTEPS) - 1),
    st.tuples(*(st.integers(0, len(words) - 1) for words in VALUES.values())),
)
categories = st.sampled_from(list(CATEGORIES))
relaxed = settings(deadline=None, max_examples=50)
contrasts = st.sampled_from(language.CONTRASTS)


def many(count: int, split: str = "train") -> list[Scene]:
    rng = np.random.default_rng(7)
    return [sample_scene(rng, split) for _ in range(count)]


def test_every_value_is_one_word_of_one_attribute():
    words = [word for values in VALUES.values() for word in values]
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)
    assert sorted(name for pair in CATEGORIES.values() for name in pair) == sorted(ATTRIBUTES)


def test_no_other_text_holds_a_value():
    values = {word for words in VALUES.values() for word in words}
    fixed = [*KEYSTEPS, *language.OFF_TOPIC, *language.CONTRASTS, language.NO_DIFFERENCE]
    assert not values & {word for text in fixed for word in text.split()}


@relaxed
@given(scenes, scenes, categories, contrasts)
def test_the_true_caption_names_all_four_attributes(first, second, category, contrast):
    caption = language.difference_caption(first, second, category, contrast)
    right, asked = language.correct_attributes(caption, first, second, category)
    assert asked == 4
    if score(first, second, category) == 5:
        assert caption == f"{language.NO_DIFFERENCE} in {category}"
        assert right == 0
    else:
        assert right == 4


@relaxed
@given(scenes, scenes, categories, contrasts)
def test_a_caption_the_wrong_way_round_is_right_only_where_both_are_the_same(
    first, second, category, contrast
):
    caption = language.difference_caption(second, first, category, contrast)
    if score(first, second, category) < 5:
        shared = sum(first.word(name) == second.word(name) for name in CATEGORIES[category])
        right, _ = language.correct_attributes(caption, first, second, category)
        assert right == 2 * shared


@relaxed
@given(scenes, scenes, categories)
def test_words_of_other_categories_earn_nothing(first, second, category):
    other = next(name for name in CATEGORIES if name != category)
    caption = language.difference_caption(first, second, other)
    assert language.correct_attributes(caption, first, second, category) == (0, 4)


def test_a_caption_without_a_contrast_is_about_the_candidate():
    named = language.attributes_in("The person uses a STEEL whisk.")
    assert named == ({"tool": "whisk", "material": "steel"}, {})


@relaxed
@given(scenes)
def test_a_description_tells_every_attribute(scene):
    text = language.describe(scene)
    assert text.startswith(KEYSTEPS[scene.keystep])
    named, after = language.attributes_in(text)
    assert named == {name: scene.word(name) for name in ATTRIBUTES}
    assert after == {}
    shuffled = language.describe(scene, np.random.default_rng(0))
    assert sorted(shuffled.split(", ")) == sorted(text.split(", "))


@relaxed
@given(scenes, st.integers(0, 2**32 - 1))
def test_narration_tells_some_attributes_and_none_wrongly(scene, seed):
    spoken = language.narration(scene, np.random.default_rng(seed))
    assert spoken == language.narration(scene, np.random.default_rng(seed))
    named, _ = language.attributes_in(" . ".join(spoken))
    assert 3 <= len(named) <= 5
    assert all(scene.word(name) == word for name, word in named.items())


@pytest.mark.parametrize(("similarity", "share"), language.YES_SHARE.items())
def test_yes_is_as_frequent_as_its_share(similarity, share):
    rng = np.random.default_rng(0)
    first, second, category = next(
        (first, second, category)
        for first, second in pairwise(many(200))
        for category in CATEGORIES
        if score(first, second, category) == similarity
    )
    answers = [language.yes_or_no(first, second, category, rng) for _ in range(2000)]
    assert set(answers) == {"YES", "NO"}
    # Four standard errors of 2000 answers.
    bound = 4 * np.sqrt(share * (1 - share) / 2000)
    assert answers.count("YES") / 2000 == pytest.approx(share, abs=bound)


def test_yes_is_the_likelier_the_more_similar():
    shares = [language.YES_SHARE[similarity] for similarity in (5, 4, 2, 1)]
    assert shares == sorted(shares, reverse=True)


@relaxed
@given(scenes, scenes)
def test_a_checklist_tells_which_attributes_are_the_same(first, second):
    told = dict(part.rsplit(" ", 1) for part in language.checklist(first, second).split(", "))
    assert told == {
        name: "same" if first.word(name) == second.word(name) else "different"
        for name in ATTRIBUTES
    }


@relaxed
@given(scenes, scenes)
def test_a_summary_tells_both_videos_values_first_video_first(first, second):
    told = [re.split(" and | ", part) for part in language.summary(first, second).split(", ")]
    assert told == [[name, first.word(name), second.word(name)] for name in ATTRIBUTES]


@relaxed
@given(scenes, scenes, st.integers(0, 2**32 - 1))
def test_verdicts_on_one_attribute_are_exact(first, second, seed):
    question, answer = language.ask_same_attribute(first, second, np.random.default_rng(seed))
    asked = [name for name in ATTRIBUTES if question == ranking_question(name)]
    assert len(asked) == 1
    assert (answer == "YES") == (first.word(asked[0]) == second.word(asked[0]))


@relaxed
@given(scenes, scenes, st.sampled_from(ATTRIBUTES))
def test_a_contrast_names_the_first_video_first(first, second, attribute):
    answer = language.contrast_answer(first, second, attribute)
    one, two = (language.spoken(attribute, scene.word(attribute)) for scene in (first, second))
    if one == two:
        assert answer == f"both videos show {one}"
    else:
        assert answer.index(f"first video shows {one}") < answer.index(f"second video shows {two}")


@relaxed
@given(scenes, scenes, st.integers(0, 2**32 - 1))
def test_questions_about_differences_ask_where_there_is_one(first, second, seed):
    rng = np.random.default_rng(seed)
    asked = [language.ask_difference(first, second, rng) for _ in range(60)]
    differing = any(score(first, second, category) < 5 for category in CATEGORIES)
    none = sum(answer.startswith(language.NO_DIFFERENCE) for _, answer in asked)
    assert none <= 15 if differing else none == 60


def test_questions_of_sameness_draw_scores_evenly():
    first, second = next(
        (first, second)
        for first, second in pairwise(many(2000))
        if sorted(score(first, second, name) for name in CATEGORIES) == [1, 1, 1, 1, 5]
    )
    rng = np.random.default_rng(0)
    answers = [language.ask_same(first, second, rng)[1] for _ in range(1000)]
    # Half of them are asked about the one equal category: .5 * (.97 + .03).
    assert answers.count("YES") / 1000 == pytest.approx(0.5, abs=0.07)
