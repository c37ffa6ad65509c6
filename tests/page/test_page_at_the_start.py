"""The page of an app that has just been started: who clicks Run is told what it waits for, and what a run costs."""

import asyncio
from types import SimpleNamespace

import gradio as gr
import pytest
from coroutines import finish

import app
from attention.page.ask import StatusLine
from attention.page.calls import SpokenBlocks
from attention.page.controls import Controls
from attention.page.foot import quota_words, seconds_of_example, usual_seconds
from attention.page.inputs import request_settings
from attention.page.sentences import STOPPED
from attention.serving.uploads import UploadLimits
from attention.visitors.store import RunCache


@pytest.fixture
def hosted(tmp_path):
    cache = RunCache(tmp_path / "sessions", library=False, sweep_every=None)
    yield app.new_service(cache, is_hosted=True, model="pocket")
    cache.close()


@pytest.mark.parametrize("line", [{"text": "Reads layer 3", "done": 3, "total": 5}, {"text": "2 tokens"}])
def test_stop_has_the_last_word_on_progress_alone(hosted, line):
    status = StatusLine("")
    controls = Controls(hosted, gr.Button(), gr.Button(), status, {})
    said = controls.say_again(line, SimpleNamespace(session_hash="tab"))[status]
    assert said == (STOPPED if "done" in line else gr.skip())


def test_a_click_on_run_says_what_is_waited_for(hosted, monkeypatch):
    said = iter(["The app is starting: 1 s so far.", "The app is starting: 2 s so far.", None])
    monkeypatch.setattr(hosted.starting, "words", lambda: next(said))
    monkeypatch.setattr("attention.page.controls.STARTING_SECONDS", 0)
    hosted.starting.has_libraries.set()
    status = StatusLine("")
    controls = Controls(hosted, gr.Button(), gr.Button(), status, {})

    def asked():
        raise ValueError("the start is over")

    async def seen() -> list:
        lines = []
        with pytest.raises(gr.Error):
            async for changes in controls.changes(None, asked, lambda _: {}):
                lines += [changes[status]]
        return lines

    lines = finish(seen())
    assert lines[:2] == ["The app is starting: 1 s so far.", "The app is starting: 2 s so far."] and len(lines) == 3


def test_pages_that_wait_for_the_start_leave_the_threads_to_others(hosted):
    async def many():
        waiting = [asyncio.create_task(hosted.loaded()) for _ in range(100)]
        await asyncio.to_thread(lambda: None)
        assert not any(page.done() for page in waiting)
        hosted.starting.has_libraries.set()
        await asyncio.gather(*waiting)

    finish(many())


def test_a_run_may_be_asked_for_before_the_list_of_models_is_there(hosted):
    with gr.Blocks():
        model = request_settings(hosted)["model"]
    assert model.choices == [] and model.preprocess("pocket") == "pocket"


def test_the_server_starts_closed(hosted, monkeypatch):
    started = []

    def launch(demo, **settings):
        started.append((demo, settings))
        raise OSError("the port is taken")

    monkeypatch.setattr(SpokenBlocks, "launch", launch)
    with pytest.raises(OSError):
        app.launch(hosted)
    (demo, settings) = started[0]
    closed = {"ssr_mode": False, "run_history": False, "show_error": False, "enable_monitoring": False}
    assert closed.items() <= settings.items() and settings["allowed_paths"] == []
    assert settings["_frontend"] is False, "no start fails because the machine has much to do"
    assert settings["max_file_size"] == UploadLimits.of_environment().one_file
    assert not {"share", "server_name", "strict_cors", "auth_dependency"} & set(settings)  # Gradio's own are closed
    assert demo._queue.max_size == 1000 and not demo.api_open and not demo.reads_addresses
    jobs = [fn for fn in demo.fns.values() if fn.concurrency_id == "jobs"]
    assert len(jobs) >= 4 and all(fn.concurrency_limit is None for fn in jobs)


def test_what_a_run_costs_is_said_by_what_it_asks_for(hosted, monkeypatch):
    seconds_of_example.cache_clear()
    seconds = usual_seconds(hosted)
    assert 10 <= seconds <= 80
    assert f"up to {seconds} s of GPU time" in quota_words(seconds)
    monkeypatch.setattr("attention.capture.forecast.forecast", None)
    assert usual_seconds(hosted) == seconds, "it is computed once, not for each page"
    monkeypatch.undo()
    hosted._model = "/nowhere"
    assert usual_seconds(hosted) is None and "without limit" in quota_words(None)
