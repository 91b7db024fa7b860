"""Figures on their way to the browser lose digits, never their meaning."""

import base64
import gzip
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.site.encode import bounds, data_file, letters, persons, rate, ratio

amounts = st.lists(st.none() | st.floats(0, 1e8, allow_subnormal=False), min_size=1)


def decoded(text: str) -> list[float | None]:
    return [None if part == "" else float(part) for part in text.split(",")]


@given(amounts)
@pytest.mark.parametrize(("encode", "relative"), [(persons, 0.06), (bounds, 0.006), (ratio, 0.006)])
def test_missing_stays_missing_and_figures_stay_near(
    encode: object, relative: float, values: list[float | None]
) -> None:
    given_values = np.array([math.nan if value is None else value for value in values])
    for value, found in zip(values, decoded(encode(given_values)), strict=True):  # type: ignore[operator]
        assert (found is None) == (value is None)
        if value is not None and found is not None:
            assert found == pytest.approx(value, rel=relative, abs=1e-300)
            assert (found == 0) == (value == 0), "less than one is not none"


def test_persons_are_whole_where_there_are_ten() -> None:
    assert persons(np.array([12_345.6, 9.96, 0.04, 0.0, math.nan])) == "12346,10,0.04,0,"
    assert bounds(np.array([12_345.6, 99.96, math.nan])) == "12300,100,"
    assert rate(np.array([0.0151, -0.1, 0.0])) == "0.015,-0.1,0"


def test_a_negative_nothing_is_nothing() -> None:
    assert ratio(np.array([-0.0])) == "0" and rate(np.array([-0.0])) == "0"


def test_letters() -> None:
    assert letters(["A", None, "D"]) == "A.D"
    assert letters(["reported", None], {"reported": "r"}) == "r."
    with pytest.raises(KeyError):
        letters(["a new status"], {"reported": "r"})


def test_a_data_file_is_one_call_and_the_same_every_time() -> None:
    content = {"a": [1, None], "b": "</script> é"}
    data = data_file("index", content)
    assert data == data_file("index", content)
    packed = re.fullmatch(rb'Clusterbridge\.receive\("index","([A-Za-z0-9+/=]+)"\);\n', data)
    assert packed and json.loads(gzip.decompress(base64.b64decode(packed[1]))) == content
