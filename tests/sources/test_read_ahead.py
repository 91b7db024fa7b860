"""Reading ahead changes nothing but the time: order, errors, and what is left when a reader turns away."""

import threading
from collections.abc import Iterator

import pytest

from etl.sources.tabular import read_ahead


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(range(1000))) == list(range(1000))
    assert list(read_ahead(())) == []


def test_what_fails_fails_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("line 3")

    seen: list[int] = []
    with pytest.raises(ValueError, match="line 3"):
        seen.extend(read_ahead(items()))
    assert seen == [1, 2]


def test_nothing_goes_on_when_the_reader_turns_away() -> None:
    before = set(threading.enumerate())
    ahead = read_ahead(iter(range(10)))
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert not set(threading.enumerate()) - before


def test_one_item_is_read_ahead_and_no_more() -> None:
    taken: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            if number == 1:
                second.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert second.wait(10), "the second item is read while the first is worked on"
    assert taken == [0, 1]
    ahead.close()  # type: ignore[attr-defined]
