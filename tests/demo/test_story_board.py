"""What a person reads while the demo runs, and what the stages report afterwards."""

import asyncio
import io

import pytest
from rich.console import Console

from demo.story.board import Board, StageFailed, shortened


def board(*, terminal: bool = False) -> tuple[Board, io.StringIO]:
    text = io.StringIO()
    return Board(Console(file=text, force_terminal=terminal, width=120)), text


@pytest.mark.parametrize("terminal", [False, True])
def test_a_stage_that_held_ends_with_its_mark_and_detail(terminal: bool) -> None:
    shown, text = board(terminal=terminal)
    with shown.stage("prices", "importing prices") as stage:
        stage.bar(1, 2, "half")
        stage.detail = "109 prices"
    assert shown.held
    assert shown.reports[0].plain().keys() == {"name", "ok", "seconds", "detail"}
    last = text.getvalue().strip().splitlines()[-1]
    assert "✔ prices" in last
    assert "109 prices" in last


def test_a_stage_that_failed_is_marked_and_ends_the_story() -> None:
    shown, text = board()
    with pytest.raises(StageFailed), shown.stage("cloud", "starting"):
        raise StageFailed("the port is taken")
    assert not shown.held
    assert shown.reports[0].detail == "the port is taken"
    assert "✘ cloud" in text.getvalue()


def test_nothing_has_held_before_a_stage_has_run() -> None:
    assert not board()[0].held


def test_a_pipe_gets_the_first_and_the_last_step_of_a_quick_bar() -> None:
    shown, text = board()
    with shown.stage("world", "building") as stage:
        for done in range(1, 101):
            stage.bar(done, 100)
    lines = [line.strip() for line in text.getvalue().splitlines()]
    assert "world: 1 of 100" in lines
    assert "world: 100 of 100" in lines
    assert len(lines) < 10


def test_texts_from_outside_are_not_read_as_markup() -> None:
    shown, text = board(terminal=True)
    with shown.stage("connect", "…") as stage:
        stage.say("[/bold] not a tag")
        stage.detail = "[red]neither[/red]"
    assert "[red]neither[/red]" in text.getvalue()


def test_a_long_reason_is_shortened_to_its_first_and_last_line() -> None:
    error = StageFailed("worker core ended (log: x.log):\nTraceback\n  File …\nNoSuchThing: y")
    assert shortened(error) == "worker core ended (log: x.log): … NoSuchThing: y"


def test_an_interrupt_is_told_as_one() -> None:
    assert shortened(asyncio.CancelledError()) == "interrupted"
    assert shortened(asyncio.CancelledError("the cloud died")) == "the cloud died"
