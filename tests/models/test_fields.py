"""JSON as text: what goes in comes out, order and non-finite numbers included, in every database."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_study
from tuning.models import Study
from tuning.models.fields import dump_json, load_json, storable

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=5).filter(lambda text: text != "$f")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_documents_survive(document):
    text = dump_json(document)
    assert load_json(text) == document
    assert dump_json(load_json(text)) == text, "and the order of keys with them"
    assert text == storable(text)


def test_not_a_number_survives_and_only_where_it_is_tagged():
    assert math.isnan(load_json(dump_json([math.nan]))[0])
    assert load_json(dump_json({"a": (math.inf, -math.inf)})) == {"a": [math.inf, -math.inf]}
    assert load_json('{"$f":"odd"}') == {"$f": "odd"}
    assert load_json('{"$f":["nan"]}') == {"$f": ["nan"]}
    assert load_json('{"$f":"nan","x":1}') == {"$f": "nan", "x": 1}


@pytest.mark.parametrize(
    ("given", "kept"), [("ä€😀", "ä€😀"), ("a\x00b", "a�b"), ("\ud800x", "?x"), ("\n\t\x7f", "\n\t\x7f")]
)
def test_text_is_made_storable(given, kept):
    assert storable(given) == kept


@pytest.mark.parametrize("document", [{"z": 1, "a": [math.inf]}, [], {}, "text", 0, False, {"\x00": "\ud800"}])
def test_a_column_gives_back_what_it_got(alice, document):
    study = make_study(alice)
    Study.objects.filter(pk=study.pk).update(sampler_options=document)
    stored = Study.objects.get(pk=study.pk).sampler_options
    assert stored == load_json(dump_json(document))
    if isinstance(document, dict):
        assert len(stored) == len(document)
