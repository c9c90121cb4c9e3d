# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a real Chromium, with a brain that says what the test wants: the rarer moments."""

import threading

import pytest
from browser import ENTER, RIGHT, TAB
from fake_clara import FakeClara, speak, speak_until_canceled
from markdown_it import MarkdownIt
from serving import LIMIT_S, wait_until

from clara_interfaces.action import Chat
from clara_interfaces.msg import ConversationHit, Episode, Governance, SkillDecision

TOKEN = "a-token-of-the-tests"
LAST = "#talk .clara:last-child"
SAMPLES = [
    "plain words\nin two lines\n\nand another paragraph",
    "**bold**, *slanted*, __bold__, _slanted_, ~~gone~~, `code`, ``a `tick` b``",
    "snake_case_name and 2 * 3 * 4 and a * b* c, **not closed and `neither",
    "**bold with *slanted* inside** and *slanted with **bold** inside*",
    "# One\n## Two ##\n###### Six\n#hash\nwords",
    "- one\n- two\n  - inner\n  - more\n- three",
    "1. one\n2. two\n\n   more of two\n3. three",
    "3) third\n4) fourth",
    "* one\n\n* two, loose\n\nafter",
    "- a\n+ b",
    "words\n- at once\n- a list\n\nThe year\n1984. was no list",
    "> quoted\n> in two lines\nlazily going on\n\n> > twice",
    "```python\nif a < b:\n    print('**x**')\n```\nafter",
    "~~~\nno language\n~~~",
    "a [link](https://example.org/a_b?c=(d)&e) and [mail](mailto:a@b.c)",
    "[not safe](javascript:alert(1)) [nor this](data:text/html,x) [relative](/api/chat)",
    "| a | b |\n|---|:-:|\n| 1 | *2* |\n| 3 |\n\nafter",
    "---\n\n* * *\n\n___",
    "\\*not slanted\\* and \\[no link\\](x) and \\\\",
    "<script>alert(1)</script> <b onclick='x'>b</b> &amp; <!-- c -->",
    "## Steps\n1. **Grip** it\n   ```\n   grip(0.5)\n   ```\n2. Lift *slowly*\n\n> Mind the step!",
    "",
    "   \n\n",
]


@pytest.fixture(scope="module")
def clara(domain):
    made = FakeClara()
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(shared, clara):
    _, web = shared.console(service_timeout=2.0)
    return f"http://127.0.0.1:{web.port}/"


@pytest.fixture
def page(chromium, address, clara):
    clara.canceled.clear()
    clara.reply = speak
    chromium.resize(1440, 900)
    chromium.open(address)
    chromium.wait("document.getElementById('slider-warmth')", "the sliders")
    yield chromium
    chromium.run("sessionStorage.clear()")
    assert chromium.faults() == []


def saying(text):
    """A brain that says this, its last half in the result alone."""

    def reply(clara, handle):
        half = len(text) // 2
        handle.publish_feedback(Chat.Feedback(seq=0, text_offset=0, delta=text[:half]))
        handle.succeed()
        return Chat.Result(text=text, stop_reason=Chat.Result.STOP_END)

    return reply


def test_markdown_becomes_the_elements_that_markdown_it_would_make(page):
    oracle = MarkdownIt("commonmark", {"html": False, "breaks": True})
    oracle.enable(["table", "strikethrough"]).disable(["entity", "image", "reference"])
    oracle.validateLink = lambda url: url.startswith(("http://", "https://", "mailto:"))
    made = page.run(
        "const { markdown } = await import('/assets/markdown.js');"
        "return args[0].map((text) => {"
        "  const place = document.createElement('div');"
        "  place.append(markdown(text));"
        "  for (const link of place.querySelectorAll('a'))"
        "    for (const name of ['target', 'rel', 'title']) link.removeAttribute(name);"
        "  return place.innerHTML;"
        "});",
        SAMPLES,
    )
    wanted = page.run(
        "return args[0].map((html) => {"
        "  const place = document.createElement('div');"
        "  place.innerHTML = html;"
        "  const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);"
        "  while (texts.nextNode())"
        "    if (!texts.currentNode.parentElement.closest('pre'))"
        "      texts.currentNode.data = texts.currentNode.data.replaceAll('\\n', '');"
        "  return place.innerHTML;"
        "});",
        # The page's policy forbids style attributes.
        [oracle.render(text).replace(' style="text-align:center"', "") for text in SAMPLES],
    )
    for text, one, other in zip(SAMPLES, made, wanted, strict=True):
        assert one == other, text


def test_a_hostile_text_is_drawn_in_little_time_and_as_text(page):
    hostile = [
        *(
            sign * 20_000
            for sign in ("*", "_", "`", "[", "> ", "- ", "|", "#", "~", "(", "!", "h")
        ),
        *(f"{piece}" * 4000 for piece in ("*a ", "a* ", "[a](", "`a``", "**a_", "https://", "\\")),
        "[" * 4000 + "](x)" * 4000,
        "# " + " " * 20_000 + "x",
        "a|b\n" + "-" * 10_000 + " " * 10_000 + "x",
        "\n".join(" " * (2 * depth) + "- x" for depth in range(300)),
    ]
    slowest = page.run(
        "const { markdown } = await import('/assets/markdown.js');"
        "let slowest = [0, 0];"
        "args[0].forEach((text, number) => {"
        "  const began = performance.now();"
        "  markdown(text);"
        "  const took = performance.now() - began;"
        "  if (took > slowest[0]) slowest = [took, number];"
        "});"
        "return slowest;",
        hostile,
    )
    assert slowest[0] < 1500, (slowest[0], hostile[slowest[1]][:40])


def test_what_a_reply_or_an_episode_says_can_run_nothing_and_load_nothing(page, clara):
    evil = (
        "<img src=x onerror='window.hit=1'> [x](javascript:window.hit=1) ![p](https://e.example/p)"
        "\n\n<script>window.hit=1</script>"
    )
    clara.reply = saying(evil)
    page.type("#text", evil.replace("\n", " ") + ENTER)
    page.wait_for_text(LAST, "<script>window.hit=1</script>")
    one = Episode(episode_id='"><b>', action="X", object=evil, detail=evil)

    def arrived():
        # This memory forgets it at once: a page that connects anew meanwhile would not show it.
        clara.episodes.publish(one)
        return "<img src=x onerror" in page.text("#episodes")

    wait_until(arrived, "the episode")
    assert (
        page.run("return document.querySelectorAll('#talk img, #talk script, li img').length") == 0
    )
    assert page.run("return window.hit") is None
    link = page.run("return document.querySelector('.clara a').outerHTML")
    assert 'href="https://e.example/p"' in link and 'rel="noopener noreferrer"' in link


def test_an_episode_that_a_late_result_completes_changes_where_it_stands(page, clara):
    def outcomes(*published):
        for episode in published:
            clara.episodes.publish(episode)
        shown = page.run(
            "return [...document.querySelectorAll('#episodes li')].map("
            "  (item) => [item.dataset.id, item.dataset.outcome])"
        )
        return {name: outcome for name, outcome in shown if name in ("one", "two")}

    begun = [Episode(episode_id=name, action="WAIT") for name in ("one", "two")]
    before = wait_until(lambda: len(shown := outcomes(*begun)) == 2 and shown, "two episodes")
    assert set(before.values()) == {"UNKNOWN"}
    oldest = list(before)[-1]
    done = Episode(episode_id=oldest, action="WAIT", outcome=Episode.SUCCEEDED)
    after = {**before, oldest: "SUCCEEDED"}
    wait_until(lambda: outcomes(done) == after, "the late result")
    assert list(outcomes()) == list(before)


def test_an_episode_is_corrected_where_it_stands_and_what_was_typed_is_not_lost(page, clara):
    row = "#episodes [data-id=e1]"
    page.wait(f"document.querySelector('{row}')", "the episode")
    page.run(f"document.querySelector('{row} .correct').focus()")
    page.press(ENTER)
    assert page.run("return document.activeElement.name") == "subject"
    page.press(TAB, TAB)
    page.run(f"document.querySelector('{row} [name=object]').value = 'refused'")
    page.press(ENTER)
    page.wait_for_text(f"{row} .fault", "the memory is full")
    # A late result comes while somebody types.
    late = Episode(episode_id="e1", action="PICK_UP", object="cup", outcome=Episode.SUCCEEDED)

    def completed():
        clara.episodes.publish(late)
        return page.run(f"return document.querySelector('{row}').dataset.outcome") == "SUCCEEDED"

    wait_until(completed, "the late result")
    field = "return [document.activeElement.name, document.activeElement.value]"
    assert page.run(field) == ["object", "refused"]
    # And memory was away: its latest are asked for again.
    page.run("import('/assets/memory.js').then((memory) => memory.refreshMemory())")
    anew = f"document.querySelector('{row}').dataset.outcome === 'FAILED'"
    page.wait(anew, "the row drawn anew")
    assert page.run(field) == ["object", "refused"]
    page.run(f"document.querySelector('{row} [name=object]').value = 'mug'")
    page.run(f"document.querySelector('{row} [name=detail]').value = 'it was blue'")
    page.press(ENTER)
    page.wait(f"!document.querySelector('{row} form')", "the form to be gone")
    assert "PICK_UP mug" in page.text(row) and "it was blue" in page.text(row)
    assert page.run("return document.activeElement.className") == "quiet correct"
    asked = clara.last("memory/correct")
    assert asked.episode_id == "e1"
    assert {one.role: one.filler for one in asked.changes} == {
        "object": "mug",
        "detail": "it was blue",
    }


def test_a_search_says_when_no_episode_has_all_that_the_text_names(page):
    page.type("#query", "half" + ENTER)
    page.wait_for_text("#found-title", "No episode fits all of it; 1 episode nearest")
    assert page.text("#found-note") == "action WASH: not in all of these; object cup"


def test_stop_ends_a_reply_and_what_was_said_until_then_stays(page, clara):
    clara.reply = speak_until_canceled
    page.type("#text", "go on")
    page.click("#send")
    page.wait("document.querySelector('.streaming .words')?.innerText.includes('word word')", "it")
    assert (
        page.run("return document.querySelector('.streaming').getAttribute('aria-busy')") == "true"
    )
    page.click("#cancel")
    page.wait("!document.querySelector('.streaming')", "the end", 5.0)
    assert "stopped" in page.text(f"{LAST} .facts")
    assert page.text(f"{LAST} .words").startswith("word word") and not page.text(f"{LAST} .fault")
    assert page.run("return document.getElementById('send').hidden") is False


def test_what_she_asks_before_she_acts_is_answered_with_a_button(page, clara):
    def ask(clara, handle):
        handle.succeed()
        asked = SkillDecision(status=SkillDecision.ASKED, skill="wave")
        return Chat.Result(text="Shall I wave?", decisions=[asked])

    clara.reply = ask
    page.type("#text", "wave!" + ENTER)
    page.wait_for_text(f"{LAST} .facts", "asks wave")
    clara.reply = saying("I will wave.")
    page.click(f"{LAST} .answer")
    page.wait_for_text(LAST, "I will wave.")
    assert clara.goals[-1].text == "Yes"
    assert page.run("return document.querySelectorAll('.answer').length") == 0


def test_what_the_heads_read_is_shown_and_unsure_words_are_marked_within_the_markdown(page, clara):
    text = "\U0001f98a **Shall** I *bring the red* cup?"
    words = ["\U0001f98a", " **Shall**", " I", " *bring", " the", " red*", " cup", "?"]
    offsets = [sum(map(len, words[:place])) for place in range(len(words))]
    nats = [0.5, 4.5, 0.5, 0.5, 5.0, 6.0, 0.5, 4.0]
    hit = ConversationHit(turn=2, text="a red cup", similarity=0.75, recalled=True)
    read = Governance(
        policy="law",
        policy_labels=["poetry", "law"],
        policy_probabilities=[0.125, 0.875],
        policy_tokens=8,
        trace_offsets=offsets,
        trace_nats=nats,
        trace_unsure=4.0,
        hits=[hit],
    )

    def reply(clara, handle):
        handle.succeed()
        return Chat.Result(text=text, stop_reason=Chat.Result.STOP_END, governance=read)

    clara.reply = reply
    page.type("#text", "read it" + ENTER)
    page.wait_for_text(f"{LAST} .facts", "unsure of 4 of 8 tokens")
    facts = page.text(f"{LAST} .facts")
    assert "law 88 %" in facts and "looked back" in facts
    marks = page.run(
        f"return [...document.querySelectorAll('{LAST} mark.unsure')]"
        ".map((mark) => [mark.textContent, mark.title])"
    )
    assert [words.strip() for words, _ in marks] == ["Shall", "the", "red", "?"]
    assert marks[1][1] == "unsure: 5.0 nats expected"
    assert page.text(f"{LAST} .words").strip() == "\U0001f98a Shall I bring the red cup?"
    clara.reply = speak
    page.type("#text", "and now" + ENTER)
    page.wait("!document.querySelector('.streaming')", "the end", 5.0)
    assert page.run(f"return document.querySelectorAll('{LAST} mark').length") == 0


def test_a_brain_that_is_away_is_said_and_the_page_goes_on_when_it_is_back(page, clara):
    clara.stop_brain()
    try:
        page.wait_for_text("#pill-brain", "not running")
        page.wait_for_text("#personality-away", "the node /clara/brain is not running")
        assert page.run("return document.getElementById('slider-warmth').matches(':disabled')")
        page.type("#text", "hello?" + ENTER)
        page.wait_for_text(f"{LAST} .fault", "the node /clara/brain is not running")
    finally:
        clara.start_brain()
    page.wait("!document.querySelector('#slider-warmth').matches(':disabled')", "the sliders")
    assert page.text("#personality-away") == ""

    def replies():
        page.type("#text", "hello!" + ENTER)
        page.wait("!document.querySelector('.streaming')", "the end")
        return "there" in page.text(LAST)

    wait_until(replies, "a reply")


def test_a_console_that_is_away_is_said_and_the_page_connects_again_by_itself(
    start, chromium, clara
):
    process, web = start.console()
    chromium.open(f"http://127.0.0.1:{web.port}/")
    chromium.wait("document.getElementById('slider-warmth')", "the sliders")
    assert process.stop() == 0
    chromium.wait_for_text("#banner", "The console does not answer")
    chromium.type("#text", "hello?" + ENTER)
    chromium.wait_for_text(f"{LAST} .fault", "is its node still running?")
    start.node("clara_console.node", port=web.port)
    chromium.wait("document.getElementById('banner').hidden", "the connection")
    clara.episodes.publish(Episode(episode_id="later", action="COME_BACK"))

    def heard():
        clara.episodes.publish(Episode(episode_id="later", action="COME_BACK"))
        return "COME_BACK" in chromium.text("#episodes")

    wait_until(heard, "an episode")


def test_a_slider_acts_while_it_is_dragged_and_not_only_when_it_is_let_go(page, clara):
    clara.warmth = 0.5
    page.run("location.reload()")
    page.wait("document.querySelector('#slider-warmth')?.valueAsNumber === 0.5", "the slider")
    page.drag("#slider-warmth", 60)
    wait_until(lambda: clara.warmth > 0.6, "the move, while the slider is held")
    held = page.run("return document.querySelector('#slider-warmth').valueAsNumber")
    assert clara.warmth == pytest.approx(held)
    page.release()
    assert page.run("return document.querySelector('#slider-warmth').valueAsNumber") == held


def test_a_preset_is_faded_in_and_an_adapter_scaled(page, clara):
    page.run("document.getElementById('preset').value = 'calm'")
    page.run("document.getElementById('fade').value = '30'")
    page.click("#apply-preset")
    asked = wait_until(
        lambda: [one for name, one in clara.requests if name == "personality/set" and one.preset],
        "the preset",
    )
    assert [(one.preset, one.fade) for one in asked] == [("calm", 30.0)]
    page.wait_for_text("#gliding", "On the way: calm, in 30 s")
    page.run("document.getElementById('slider-warmth').focus()")
    page.press(RIGHT)
    page.wait("document.getElementById('gliding').hidden", "the move to end the fade")
    page.wait("document.querySelector('#adapter-pirate')?.valueAsNumber === 0.5", "the adapter")
    page.run("document.getElementById('adapter-pirate').focus()")
    page.press(RIGHT)
    scaled = wait_until(
        lambda: [request for name, request in clara.requests if name == "adapter/scale"],
        "the scale",
    )
    assert scaled[-1].names == ["pirate"] and scaled[-1].scales[0] == pytest.approx(0.55)


@pytest.mark.parametrize("width", [360, 1024, 1440])
def test_the_names_of_presets_and_times_are_shown_whole(page, width):
    page.resize(width, 900)
    cut = page.run(
        "const pen = document.createElement('canvas').getContext('2d');"
        "return [['preset', 'companion'], ['fade', 'in 10 min']].filter(([id, text]) => {"
        "  const select = document.getElementById(id);"
        "  const { font, paddingLeft } = getComputedStyle(select);"
        "  pen.font = font;"
        "  const arrow = 20;"
        "  const room = select.clientWidth - 2 * parseFloat(paddingLeft) - arrow;"
        "  return pen.measureText(text).width > room;"
        "});"
    )
    assert cut == []


def test_a_node_that_is_not_active_has_the_colour_of_a_warning(page, clara):
    def states():
        clara.tell_health("clara/arm: arm", message="inactive", state="inactive")
        clara.tell_health("clara/lidar: driver", message="spinning")
        shown = page.run(
            "return [...document.querySelectorAll('.status')].map("
            "  (box) => [box.innerText.split('\\n')[0], box.dataset.state])"
        )
        return {tuple(one) for one in shown}

    wait_until(lambda: len(states()) >= 2, "what the nodes say")
    colours = sorted(state for _, state in states())
    assert colours == ["good", "warn"]


def test_every_control_is_named_and_reached_with_the_keyboard(page):
    nameless = page.run(
        "return [...document.querySelectorAll('button, input, select, textarea')].filter((e) =>"
        "  !e.labels?.length && !e.innerText.trim() && !e.getAttribute('aria-label')"
        ").map((e) => e.outerHTML)"
    )
    assert nameless == []
    page.run("document.activeElement.blur()")
    reached = set()
    for _ in range(30):
        page.press(TAB)
        reached.add(page.run("return document.activeElement.id"))
    assert {"theme", "session", "new-session", "forget-session", "talk", "text", "send"} <= reached
    assert {"preset", "fade", "apply-preset", "slider-warmth", "query"} <= reached
    shown = page.run(
        "document.getElementById('text').focus();"
        "return getComputedStyle(document.activeElement).outlineStyle"
    )
    assert shown == "solid"


def test_on_a_phone_nothing_is_wider_than_the_screen_and_the_chat_comes_first(page):
    page.resize(360, 740)
    assert page.run("return document.documentElement.scrollWidth") <= 360
    tops = page.run(
        "return ['chat', 'personality', 'memory', 'health'].map("
        "  (name) => document.querySelector('.panel.' + name).getBoundingClientRect().top)"
    )
    assert tops == sorted(tops)
    box = page.run(
        "const { bottom } = document.getElementById('send').getBoundingClientRect();return bottom"
    )
    assert 0 < box <= 740


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_light_and_dark_and_the_button_overrides_the_system(page, scheme):
    page.emulate("prefers-color-scheme", scheme)
    poor = page.run(
        "const luminance = (colour) => {"
        "  const [r, g, b] = colour.match(/[\\d.]+/g).map((n) => n / 255).map("
        "    (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));"
        "  return 0.2126 * r + 0.7152 * g + 0.0722 * b;"
        "};"
        "const ground = (e) => {"
        "  while (e) {"
        "    const colour = getComputedStyle(e).backgroundColor;"
        "    if (colour !== 'rgba(0, 0, 0, 0)') return colour;"
        "    e = e.parentElement;"
        "  }"
        "  return 'rgb(255, 255, 255)';"
        "};"
        "const all = 'h1, h2, h3, button, label, output, dt, dd, p, .pill, summary';"
        "return [...document.querySelectorAll(all)]"
        "  .filter((e) => e.offsetParent && e.innerText && !e.matches('.hidden'))"
        "  .map((e) => {"
        "    const [a, b] = [luminance(getComputedStyle(e).color), luminance(ground(e))];"
        "    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.innerText];"
        "  }).filter(([contrast]) => contrast < 4.5)"
    )
    assert poor == []
    body = "return getComputedStyle(document.body).backgroundColor"
    first = page.run(body)
    colours = set()
    for _ in range(3):
        page.click("#theme")
        colours.add(page.run(body))
    assert page.run(body) == first and len(colours) == 2
    page.emulate("prefers-color-scheme", "")


def test_two_windows_talk_at_once_and_each_sees_the_own_reply(page, clara):
    clara.reply = saying("a reply")
    others = []

    def other():
        from serving import Web

        port = int(page.run("return location.port"))
        others.append(Web(port).reply("from elsewhere")[-1]["result"]["text"])

    threads = [threading.Thread(target=other) for _ in range(3)]
    for thread in threads:
        thread.start()
    page.type("#text", "from the page" + ENTER)
    page.wait_for_text(LAST, "a reply")
    for thread in threads:
        thread.join(LIMIT_S)
    assert others == ["a reply"] * 3


def test_with_a_token_the_door_opens_by_form_and_by_link_and_says_when_it_was_changed(
    start, chromium, clara
):
    process, web = start.console(environment={"CLARA_CONSOLE_TOKEN": TOKEN})
    address = f"http://127.0.0.1:{web.port}/"
    chromium.open(address)
    chromium.type("#token", "not the token" + ENTER)
    chromium.wait_for_text("body", "That is not the token.")
    chromium.open(chromium.run("return location.href"))  # as Enter in the address bar does
    assert chromium.run("return location.href") == address
    chromium.type("#token", TOKEN + ENTER)
    chromium.wait("document.getElementById('slider-warmth')", "the sliders")
    link = f"{address}#token={TOKEN}"
    for before in (address, "about:blank"):  # followed in this window, and in a new one
        chromium.open(before)
        chromium.open(link)
        chromium.wait(f"location.href === {address!r}", "the address without the token")
        chromium.wait("document.getElementById('slider-warmth')", "the sliders")
    assert process.stop() == 0
    start.node(
        "clara_console.node", port=web.port, environment={"CLARA_CONSOLE_TOKEN": TOKEN[::-1]}
    )
    chromium.wait_for_text("body", "Token of this console")  # the page noticed by itself
    chromium.open(f"{address}#token={TOKEN[::-1]}")
    chromium.wait("document.getElementById('slider-warmth')", "the sliders")
    assert TOKEN[::-1] not in chromium.run("return location.href")
