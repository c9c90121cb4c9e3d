# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What an operator does, in a real Chromium, with the real brain, memory and model behind it."""

import pytest
import rclpy
from browser import ENTER, RIGHT
from rclpy.executors import SingleThreadedExecutor
from serving import wait_until

from clara_interfaces.msg import Episode
from clara_interfaces.srv import GetPersonality, SetPersonality, StoreEpisode


class Robot:
    """The robot's side: calls services over DDS."""

    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node("robot", namespace="clara", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def call(self, kind, name, request=None):
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(20.0), name
        future = client.call_async(request or kind.Request())
        self.executor.spin_until_future_complete(future, 20.0)
        self.node.destroy_client(client)
        return future.result()

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope="module")
def robot(domain):
    made = Robot()
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(shared, chromium):
    folder = shared.folder
    shared.node("clara_memory.node", autostart=True, memory_path=folder / "memory.sqlite3")
    shared.node("clara_brain.node", autostart=True, n_threads=1, state_path=folder / "brain")
    _, web = shared.console()
    chromium.open(f"http://127.0.0.1:{web.port}/")

    def active(name):
        shared.check()
        return "active" in chromium.text(f"#pill-{name}")

    for name in ("brain", "memory"):
        wait_until(lambda name=name: active(name), f"{name} to be active", 60.0)
    yield chromium
    assert chromium.faults() == []


def test_a_reply_grows_while_it_is_generated_and_ends_with_its_figures(page):
    page.run(
        "window.sizes = new Set();"
        "new MutationObserver(() => {"
        "  const said = document.querySelector('.streaming .words')?.textContent.length;"
        "  if (said) window.sizes.add(said);"
        "}).observe(document.getElementById('talk'), { childList: true, subtree: true });"
    )
    page.type("#text", "Tell me in three sentences what a robot is." + ENTER)
    page.wait_for_text("#talk .facts", "tokens/s", 60.0)
    assert page.run("return window.sizes.size") >= 3
    assert page.text("#talk .me .words") == "Tell me in three sentences what a robot is."
    assert len(page.text("#talk .clara .words")) > 20
    page.wait(
        "document.getElementById('session').selectedOptions[0].text.includes('1 turn')", "it"
    )


def test_what_was_said_is_there_again_after_the_page_was_loaded_anew(page):
    said = page.run("return [...document.querySelectorAll('.me .words')].map((e) => e.innerText)")
    page.run("location.reload()")
    page.wait("document.querySelectorAll('.me .words').length", "the history")
    again = page.run("return [...document.querySelectorAll('.me .words')].map((e) => e.innerText)")
    assert again and set(again) <= set(said)


def test_a_conversation_is_forgotten_once_that_is_confirmed_and_again_finds_nothing_amiss(page):
    answers = "performance.getEntriesByName(location.origin + '/api/sessions/reset').length"
    asks = "document.getElementById('forget-session').innerText === 'Forget for good?'"
    page.click("#forget-session")
    page.run(  # the second half of a double click
        "const click = new MouseEvent('click', { detail: 2 });"
        "document.getElementById('forget-session').dispatchEvent(click)"
    )
    page.wait(asks, "the question")
    page.click("#new-session")
    page.wait(f"!({asks})", "the question to be taken back")
    page.run("document.getElementById('session').selectedIndex = 1")
    page.run("document.getElementById('session').dispatchEvent(new Event('change'))")
    page.wait("document.querySelectorAll('.me .words').length", "the history")
    assert page.run(f"return {answers}") == 0
    for times in (1, 2):
        page.click("#forget-session")
        page.wait(asks, "the question")
        page.press(ENTER)
        page.wait(f"{answers} === {times}", "the brain's answer")
        page.wait(
            "document.getElementById('session').selectedOptions[0].text.includes('(new)')", "it"
        )
        assert page.run("return document.getElementById('talk').childElementCount") == 0


def test_a_slider_moves_the_personality_and_another_s_move_moves_the_slider(page, robot):
    page.wait("document.getElementById('slider-warmth')", "the sliders")
    page.run("document.getElementById('slider-warmth').focus()")
    before = page.run("return document.getElementById('slider-warmth').valueAsNumber")

    def warmth():
        traits = robot.call(GetPersonality, "personality/get").traits
        return next(trait.value for trait in traits if trait.name == "warmth")

    assert warmth() == pytest.approx(before, abs=1e-3)
    page.press(RIGHT, RIGHT)
    wait_until(lambda: warmth() == pytest.approx(before + 0.1, abs=1e-3), "two steps to the right")
    page.run("document.getElementById('preset').value = 'neutral'")
    page.click("#apply-preset")
    page.wait("document.querySelector('#slider-warmth').valueAsNumber === 0.5", "the preset")
    assert warmth() == pytest.approx(0.5)
    page.run(
        "window.seen = new Set();"
        "const one = document.getElementById('slider-warmth');"
        "const look = () => { window.seen.add(one.value); requestAnimationFrame(look); };"
        "look();"
    )
    fade = SetPersonality.Request(names=["warmth"], values=[0.1], fade=1.5)
    assert not robot.call(SetPersonality, "personality/set", fade).error_code
    page.wait("document.querySelector('#slider-warmth').valueAsNumber === 0.1", "the other's move")
    assert page.run("return window.seen.size") >= 4  # it glided there
    assert "what she is told" in page.text(".personality details").lower()


def test_an_episode_appears_as_it_is_stored_is_found_and_is_what_a_reply_rests_on(page, robot):
    page.click("#new-session")
    one = Episode(
        action="PICK_UP", object="bottle", outcome=Episode.FAILED, detail="it <i>slipped</i>"
    )
    stored = robot.call(StoreEpisode, "memory/store", StoreEpisode.Request(episode=one))
    assert stored.episode_id, stored.error_msg
    page.wait_for_text("#episodes", "PICK_UP bottle")
    assert "it <i>slipped</i>" in page.text("#episodes")
    page.wait_for_text("#memory-count", "1 episode · 1 failed")

    page.type("#query", "what happened with the botle?" + ENTER)
    page.wait_for_text("#found-title", "1 episode fits")
    assert "read as" in page.text("#found-note") and "PICK_UP bottle" in page.text("#found-list")
    page.run("document.getElementById('query').value = ''")
    page.type("#query", "what happened with the submarine?" + ENTER)
    page.wait_for_text("#found-title", "Memory does not know")
    page.click("#close-found")

    page.type("#text", "What happened with the bottle?" + ENTER)
    page.wait_for_text("#talk .facts", "rests on 1 in memory", 60.0)
    page.click("#talk .facts button")
    page.wait(
        "document.querySelector('.episodes .cited').innerText.includes('bottle')", "its mark"
    )


def test_health_and_the_model_s_lineage_are_shown(page):
    assert page.text("#namespace") == "/clara"
    health = page.text("#statuses")
    assert "Brain" in health and "Memory" in health and "episodes per second" in health
    assert "llama, Q4_1" in page.text("#model") and "134,515,008" in page.text("#model")
    assert "apache-2.0" in page.text("#lineage")
