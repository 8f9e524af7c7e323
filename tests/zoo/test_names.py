import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.zoo.names import CATALOGUE, FAMILIES, expand, parse


def test_the_catalogue_is_wide_and_canonical():
    specs = [parse(name) for name in CATALOGUE]
    assert [spec.name for spec in specs] == list(CATALOGUE)
    assert len(set(CATALOGUE)) == len(CATALOGUE) >= 20
    assert {spec.family for spec in specs} == set(FAMILIES)
    assert len(expand(["small:*-s0"])) >= 16


@st.composite
def names(draw):
    family = draw(st.sampled_from(sorted(FAMILIES)))
    tokens = []
    for parameter in FAMILIES[family].parameters:
        if draw(st.booleans()):
            if parameter.whole:
                value = draw(st.integers(int(parameter.low), int(min(parameter.high, 500))))
            else:
                value = draw(st.integers(1, 900)) / 1000
            tokens.append(f"{parameter.letter}{value}")
    tokens += [f"n{draw(st.integers(1, 5000))}"] if draw(st.booleans()) else []
    tokens += [f"e{draw(st.integers(1, 500))}"] if draw(st.booleans()) else []
    tokens.append(f"s{draw(st.integers(0, 99))}")
    return family, draw(st.permutations(tokens))


@given(names())
def test_one_model_has_one_name(parts):
    family, tokens = parts
    spec = parse("-".join([f"small:{family}", *tokens]))
    again = parse(spec.name)
    assert again == spec
    given_values = {token[0]: float(token[1:]) for token in tokens}
    for letter, value in spec.parameters.items():
        assert value == given_values.get(letter, value)
    assert spec.seed == given_values["s"]
    assert spec.images == given_values.get("n")
    assert spec.epochs == given_values.get("e", FAMILIES[family].epochs)


def test_expand_keeps_the_order_and_names_each_model_once():
    specs = expand(["small:cnn-w16-s0", "small:cnn-*-s0", "small:mlp-w64-d2-s0"])
    assert [spec.name for spec in specs] == [
        "small:cnn-w16-s0",
        "small:cnn-w4-s0",
        "small:cnn-w8-s0",
        "small:mlp-d2-w64-s0",
    ]


def test_a_full_name_outside_the_catalogue_is_as_good():
    (spec,) = expand(["small:vit-d3-w64-n500-e2-s7"])
    assert (spec.parameters, spec.seed, spec.images, spec.epochs) == ({"d": 3, "w": 64}, 7, 500, 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("small:cnm-*", "small:cnn-w"),
        ("small:cnn-w8", "s0"),
        ("smal:cnn-w8-s0", "small:"),
        ("cnn", "small:"),
        ("small:forest-s0", "linear"),
        ("small:cnn-q8-s0", "width"),
        ("small:cnn-w8-w8-s0", "at most once"),
        ("small:cnn-w0-s0", "from 1 to 512"),
        ("small:cnn-w1.5-s0", "whole number"),
        ("small:", "small:"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_nearest_names(name, words):
    with pytest.raises(UsageError) as caught:
        expand([name])
    assert name in caught.value.message or name.split(":")[0] in caught.value.message
    assert words in caught.value.hint


def test_names_do_not_import_torch():
    code = (
        "import sys; import replicate.zoo.names, replicate.zoo.predictions, replicate.zoo.cards;"
        "import replicate.zoo.training, replicate.zoo.engine, replicate.zoo.classmaps;"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
