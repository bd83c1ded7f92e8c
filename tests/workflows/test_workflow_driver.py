"""The contract of the in-process driver: the same workflow behaves there as on the server."""

from datetime import timedelta

import pytest
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner

from tests.support.workflow_driver import WorkflowDriver


class Word(BaseModel):
    text: str = ""


class Acts:
    @activity.defn(name="test.say")
    async def say(self, word: Word) -> Word:
        return word


@workflow.defn(name="Sample", sandboxed=False)
class Sample:
    """Says, sleeps, waits for an update, says again."""

    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self, first: Word) -> Word:
        said = await workflow.execute_activity_method(
            Acts.say, first, start_to_close_timeout=timedelta(seconds=5)
        )
        await workflow.sleep(timedelta(days=30))
        await workflow.wait_condition(lambda: bool(self.word), timeout=timedelta(days=1))
        if self.word == "bug":
            raise KeyError(self.word)
        return Word(text=said.text + self.word)

    @workflow.update
    async def tell(self, word: Word) -> Word:
        self.word = word.text
        return Word(text="heard")

    @tell.validator
    def _not_empty(self, word: Word) -> None:
        if not word.text:
            raise ApplicationError("say something", type="Silent")

    @workflow.signal
    def shout(self, word: Word) -> None:
        self.word = word.text


def sample() -> WorkflowDriver:
    driver = WorkflowDriver(Sample, Word(text="a"), [Acts.say], runner=UnsandboxedWorkflowRunner())
    driver.fake("test.say", by=lambda word: Word(text=word.text * 2))
    return driver


async def test_time_is_a_variable() -> None:
    driver = sample()
    before = driver.now
    await driver.start()
    await driver.skip(timedelta(days=30))
    await driver.signal("shout", Word(text="!"))
    assert (await driver.finish()).text == "aa!"
    assert driver.now - before == timedelta(days=30)


async def test_a_validator_rejects_before_the_workflow_hears() -> None:
    driver = sample()
    await driver.start()
    refused = await driver.update("tell", Word())
    assert refused.rejection is not None
    assert (refused.rejection.type, refused.accepted) == ("Silent", False)
    heard = await driver.update("tell", Word(text="b"))
    assert heard.value(Word).text == "heard"
    assert (await driver.finish()).text == "aab"


async def test_a_failed_activity_reaches_the_workflow_as_on_the_server() -> None:
    driver = sample()
    driver.fake("test.say", raises=ApplicationError("no", type="Refused"))
    await driver.start()
    with pytest.raises(ActivityError) as caught:
        await driver.finish()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "Refused"


async def test_a_cancelled_workflow_ends_cancelled() -> None:
    driver = sample()
    await driver.start()
    await driver.cancel()
    assert driver.cancelled


async def test_an_error_that_is_no_failure_fails_the_task_and_not_the_workflow() -> None:
    driver = sample()
    await driver.start()
    await driver.signal("shout", Word(text="bug"))
    with pytest.raises(AssertionError, match="workflow task failed"):
        await driver.finish()


async def test_a_wait_that_times_out_fails_the_workflow() -> None:
    driver = sample()
    await driver.start()
    with pytest.raises(ApplicationError) as caught:
        await driver.finish()
    assert caught.value.type == "TimeoutError"


async def test_an_unknown_activity_cannot_be_faked() -> None:
    with pytest.raises(AssertionError):
        sample().fake("test.sing")
