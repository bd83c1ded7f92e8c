"""Running the story: beside it a watch over its processes, after it nothing left behind."""

from __future__ import annotations

import asyncio
import signal
import traceback
from contextlib import AsyncExitStack

from demo.story import report, tenancy
from demo.story.board import Board
from demo.story.crew import Crew, ProcessLost
from demo.story.settings import Options, forget_surroundings, own_commands
from demo.story.story import Story

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def run(options: Options) -> int:
    """Tell the story; the exit code. Interrupts end it in order."""
    forget_surroundings()
    board, found = Board(), report.Findings()
    try:
        asyncio.run(_tell(options, board, found))
        ok = board.held
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0 if board.held and not options.once and found.answer else EXIT_INTERRUPTED
    except Exception as error:  # the outermost boundary: every failure is told and logged
        _explain(options, board, error)
        ok = False
    if options.once:
        report.print_json(report.as_json(board.reports, found, ok=ok))
    return 0 if ok else EXIT_FAILED


async def _tell(options: Options, board: Board, found: report.Findings) -> None:
    _cancel_on_signals()
    crew = Crew(options.home, options.logs, lambda line: board.note(f"  {line}", "yellow"))
    story = asyncio.create_task(_whole(options, board, found, crew))
    watch = asyncio.create_task(crew.watch())
    try:
        await asyncio.wait({story, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        lost = watch.exception() if watch.done() and not watch.cancelled() else None
        story.cancel(str(lost) if lost else None)
        await asyncio.wait({story})
        watch.cancel()
        await asyncio.wait({watch})
    if isinstance(lost, ProcessLost):
        raise lost
    await story


def _cancel_on_signals() -> None:
    """The first interrupt ends the story in order; later ones do not disturb that."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    heard: list[int] = []

    def cancel() -> None:
        if not heard:
            me.cancel()
        heard.append(1)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, cancel)


async def _whole(options: Options, board: Board, found: report.Findings, crew: Crew) -> None:
    async with AsyncExitStack() as stack:
        # Registered by the story when it starts them: processes go before their servers.
        story = Story(options, board, found, crew, stack)
        await story.play()
        report.show(board.console, found)
        board.console.rule("Ask on your own, now or after it has ended", style="dim")
        for command in own_commands(options, tenancy.SLUG):
            board.note(command)
        if not options.once:
            await story.stay()


def _explain(options: Options, board: Board, error: Exception) -> None:
    options.logs.mkdir(parents=True, exist_ok=True)
    log = options.logs / "demo.log"
    with log.open("a") as file:
        file.write("".join(traceback.format_exception(error)))
    board.note(f"\n{error}", "red")
    board.note(f"logs: {options.logs}", "red")
