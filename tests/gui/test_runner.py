"""The runner: one outcome per job, on the main thread; latest wins; errors are messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from core.errors import InputError
from core.jobs import CancelToken, Progress
from gui.runner import JobOutcome, JobProgress, JobRunner, Lane, error_text


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[JobRunner]:
    made = JobRunner()
    yield made
    assert made.shut_down()


def wait_for_cancel(progress: Progress, cancel: CancelToken) -> str:
    while True:
        cancel.check()
        time.sleep(0.002)


def test_a_result_comes_home_once_on_the_main_thread(runner: JobRunner, qtbot: QtBot) -> None:
    seen: list[tuple[JobOutcome[int], int]] = []
    ran_on: list[int] = []

    def job(progress: Progress, cancel: CancelToken) -> int:
        ran_on.append(threading.get_ident())
        return 42

    with qtbot.waitSignal(runner.finished):
        runner.submit(job, key="a", lane=Lane.READ, done=lambda o: seen.append((o, threading.get_ident())))
    qtbot.wait(20)
    assert [o.result for o, _ in seen] == [42]
    assert seen[0][1] == threading.get_ident() != ran_on[0]


@pytest.mark.parametrize("error", [InputError("the file says why"), ValueError("secret name"), MemoryError()])
def test_an_error_is_an_outcome(runner: JobRunner, qtbot: QtBot, error: Exception) -> None:
    def job(progress: Progress, cancel: CancelToken) -> None:
        raise error

    with qtbot.waitSignal(runner.finished) as caught:
        runner.submit(job, key="a", lane=Lane.LONG)
    assert caught.args is not None
    outcome = caught.args[0]
    assert outcome.error is error
    assert not outcome.succeeded


def test_only_our_own_messages_are_shown() -> None:
    assert error_text(InputError("file x: why")) == "file x: why"
    assert "secret" not in error_text(ValueError("secret name"))


def test_an_unexpected_error_is_logged_without_its_text(
    runner: JobRunner, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    name = "Doe^Jane"

    def job(progress: Progress, cancel: CancelToken) -> None:
        raise ValueError(name)

    with qtbot.waitSignal(runner.finished):
        runner.submit(job, key="a", lane=Lane.READ)
    assert "ValueError" in caplog.text
    assert "Doe" not in caplog.text


def test_the_same_key_cancels_the_older_job(runner: JobRunner, qtbot: QtBot) -> None:
    outcomes: list[JobOutcome[str]] = []
    runner.submit(wait_for_cancel, key="slice", lane=Lane.ENGINE, done=outcomes.append)
    runner.submit(lambda p, c: "new", key="slice", lane=Lane.ENGINE, done=outcomes.append)
    qtbot.waitUntil(lambda: len(outcomes) == 2, timeout=2000)
    assert [(o.cancelled, o.result) for o in outcomes] == [(True, None), (False, "new")]


def test_a_job_cancelled_before_it_starts_still_ends(runner: JobRunner, qtbot: QtBot) -> None:
    outcomes: list[JobOutcome[str]] = []
    runner.submit(wait_for_cancel, key="first", lane=Lane.ENGINE, done=outcomes.append)
    waiting = runner.submit(wait_for_cancel, key="second", lane=Lane.ENGINE, done=outcomes.append)
    runner.cancel_job(waiting)
    runner.cancel("first")
    qtbot.waitUntil(lambda: len(outcomes) == 2, timeout=2000)
    assert all(o.cancelled for o in outcomes)
    assert not runner.busy("first")


def test_progress_is_thinned_but_metrics_are_not(runner: JobRunner, qtbot: QtBot) -> None:
    reports: list[JobProgress] = []
    runner.progressed.connect(reports.append)

    def job(progress: Progress, cancel: CancelToken) -> None:
        for i in range(500):
            progress(i, 1000)
        for i in range(5):
            progress(i, 5, loss=float(i))

    with qtbot.waitSignal(runner.finished):
        runner.submit(job, key="a", lane=Lane.LONG, title="Counting")
    assert [r.metrics["loss"] for r in reports if r.metrics] == [0, 1, 2, 3, 4]
    assert len(reports) < 100


def test_nothing_is_delivered_after_shutting_down(qtbot: QtBot) -> None:
    runner = JobRunner()
    outcomes: list[JobOutcome[str]] = []
    runner.submit(wait_for_cancel, key="a", lane=Lane.LONG, done=outcomes.append)
    assert runner.shut_down()
    qtbot.wait(20)
    assert outcomes == []


def test_nothing_is_run_after_the_end(qtbot: QtBot) -> None:
    runner = JobRunner()
    assert runner.shut_down()
    ran: list[int] = []
    runner.submit(lambda _progress, _cancel: ran.append(1), key="late", lane=Lane.QUICK)
    qtbot.wait(20)
    assert ran == []
    assert not runner.busy("late")
