"""The limit to one thread: while it is held, by one at a time, and never longer."""

import threading

import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from tuning.engine.threads import on_one_thread


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def set_threads(n: int) -> None:
    """By a thread that ends: as long as it lives, a setting belongs to the thread that made it."""
    setter = threading.Thread(target=ThreadpoolController().limit, kwargs={"limits": n, "user_api": "blas"})
    setter.start()
    setter.join()


@pytest.fixture(autouse=True)
def _two_threads():
    (before,) = threads()
    set_threads(2)
    assert threads() == {2}
    yield
    assert threads() == {2}
    set_threads(before)


def test_it_holds_inside_one_in_another_and_ends_with_it():
    with on_one_thread():
        assert threads() == {1}
        with on_one_thread():
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == {2}


def test_it_ends_with_an_error_too():
    def fail():
        with on_one_thread():
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert threads() == {2}


def test_several_threads_hold_it_in_turn_and_each_has_it():
    seen, inside = [], threading.Event()

    def hold():
        for _ in range(20):
            with on_one_thread():
                assert not inside.is_set()
                inside.set()
                seen.append(threads())
                inside.clear()

    running = [threading.Thread(target=hold) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
    assert seen == [{1}] * 80
