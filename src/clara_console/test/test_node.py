# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The console's node over real HTTP and real DDS, with a brain and a memory that obey the test."""

import json
import signal
import threading
import time
from http.client import HTTPConnection

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from fake_clara import REPLY, FakeClara, speak, speak_until_canceled
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterEvent
from rclpy.parameter import Parameter
from serving import LIMIT_S, wait_until

from clara_interfaces.msg import Episode

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def served(shared):
    """The console, its client, and the Clara behind it, each known to the other."""
    clara = FakeClara()
    process, web = shared.console(service_timeout=1.0, requests_per_second=1000.0)
    wait_until(lambda: web.get("/api/personality").status == 200, "the console to know the brain")
    wait_until(lambda: web.get("/api/memory").status == 200, "the console to know the memory")
    wait_until(clara.episodes.get_subscription_count, "the console to hear episodes")
    wait_until(clara.diagnostics.get_subscription_count, "the console to hear diagnostics")
    wait_until(lambda: web.reply("hello", "first")[1:-1], "the console to hear feedback")
    yield process, web, clara
    clara.close()


@pytest.fixture
def web(served):
    return served[1]


@pytest.fixture
def clara(served):
    made = served[2]
    made.canceled.clear()
    made.accepts = True
    made.reply = speak
    return made


def test_a_reply_is_streamed_in_order_and_the_result_has_what_was_lost(web, clara):
    first, *deltas, last = web.reply("hello", "a")
    assert len(first["turn"]) == 32
    streamed = "".join(line["delta"] for line in deltas)
    assert streamed and REPLY.startswith(streamed) and len(streamed) <= 18
    assert last["result"]["text"] == REPLY
    assert last["result"]["memory_ids"] == ["e1"] and last["result"]["error_name"] == "NONE"
    goal = clara.goals[-1]
    assert (goal.text, goal.session_id, goal.client) == ("hello", "a", "/clara/console")


def test_a_turn_is_canceled_by_its_number_and_keeps_what_was_said_until_then(web, clara):
    clara.reply = speak_until_canceled
    with web.chat("go on") as lines:
        turn = next(lines)["turn"]
        assert next(lines)["delta"].startswith("word ")
        assert web.post(f"/api/chat/{turn}/cancel").json == {"canceled": True}
        *_, last = lines
    assert last["result"]["error_name"] == "CANCELED"
    assert last["result"]["text"].startswith("word ")
    assert web.post(f"/api/chat/{turn}/cancel").json == {"canceled": False}


def test_a_page_that_is_closed_in_the_middle_of_a_turn_ends_it(web, clara):
    clara.reply = speak_until_canceled
    with web.chat("go on") as lines:
        next(lines), next(lines)
    assert clara.canceled.wait(LIMIT_S)


def test_a_brain_that_goes_away_in_the_middle_is_said_and_it_may_come_back(web, clara):
    clara.reply = speak_until_canceled
    with web.chat("go on") as lines:
        next(lines), next(lines)
        clara.stop_brain()
        *_, last = lines
    assert "the brain went away before the turn was finished" in last["error"]
    answer = web.post("/api/chat", {"text": "are you there?"})
    assert answer.status == 503
    assert "the node /clara/brain is not running" in answer.json["error"]
    assert web.get("/api/personality").status == 503
    assert web.get("/api/memory").status == 200
    clara.canceled.set()
    clara.start_brain()
    clara.reply = speak
    wait_until(lambda: web.get("/api/personality").status == 200, "the brain to be back")
    wait_until(lambda: web.post("/api/chat", {"text": "hello again"}).status == 200, "a turn")
    assert web.reply("hello again")[-1]["result"]["text"] == REPLY


def test_a_turn_that_the_brain_rejects_is_an_error_line(web, clara):
    clara.accepts = False
    assert web.reply("hello")[-1] == {"error": "the brain rejected the turn"}


def test_ten_people_talk_at_once_and_each_gets_the_own_reply(web, clara):
    results = {}

    def talk(number):
        results[number] = web.reply(f"I am {number}", f"s{number}")[-1]

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert [results[number]["result"]["text"] for number in range(10)] == [REPLY] * 10


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/api/chat", {"text": " \n"}, 400, "text is empty"),
        ("/api/chat", {"text": 5}, 400, "text must be a text"),
        ("/api/chat", {}, 400, "text must be a text"),
        ("/api/chat", {"text": "x" * 16_385}, 400, "has 16385 characters; at most 16384"),
        ("/api/chat", {"text": "a\0b"}, 400, "characters that no text has"),
        ("/api/chat", '{"text": "\\ud800"}', 400, "characters that no text has"),
        ("/api/chat", {"text": "x", "session": "s" * 129}, 400, "session has 129 characters"),
        ("/api/chat", "{", 400, "not well-formed JSON"),
        ("/api/chat", "[" * 50_000, 400, "not well-formed JSON"),
        ("/api/chat", '["text"]', 400, "must be a JSON object"),
        ("/api/chat", " " * 200_000, 413, "larger than 131072 bytes"),
        ("/api/personality", {"values": {"warmth": 1.5}}, 400, "warmth must be a number from 0"),
        ("/api/personality", {"values": {"warmth": True}}, 400, "warmth must be a number"),
        ("/api/personality", '{"values": {"warmth": NaN}}', 400, "not well-formed JSON"),
        ("/api/personality", '{"values": {"warmth": 1e999}}', 400, "warmth must be a number"),
        ("/api/personality", f'{{"fade": {"9" * 400}, "preset": "p"}}', 400, "fade must be"),
        ("/api/personality", {"values": {}}, 400, "give values, a preset, or both"),
        ("/api/personality", {"values": ["warmth"]}, 400, "an object of names and numbers"),
        ("/api/personality", {"values": {"nosuch": 0.5}}, 502, "there is no slider nosuch"),
        ("/api/adapters", {"scales": {"pirate": 9}}, 400, "pirate must be a number from -4 to 4"),
        ("/api/adapters", {}, 400, "at least one adapter"),
        ("/api/memory/query", {"text": "invalid"}, 502, "the text is no cue"),
        ("/api/memory/correct", {"changes": {"object": 1}}, 400, "object must be a text"),
        ("/api/memory/correct", {"changes": ["object"]}, 400, "must be an object of names"),
        (
            "/api/memory/correct",
            {"episode_id": "e1", "changes": {"object": "refused"}},
            502,
            "the memory is full",
        ),
        ("/api/memory/query", {"text": "slow"}, 503, "did not answer within 1 s"),
        ("/api/sessions/reset", {}, 400, "session must be a text"),
    ],
)
def test_a_bad_request_gets_one_sentence(web, clara, path, body, status, said):
    answer = web.post(path, body, Content_Type="application/json")
    clara.canceled.set()
    assert answer.status == status and said in answer.json["error"], answer.text


def test_a_body_of_another_kind_or_of_no_length_is_refused(web):
    assert web.post("/api/chat", '{"text": "x"}', Content_Type="text/plain").status == 400
    endless = (b" " * 10_000 for _ in range(1000))
    try:
        answer = web.post("/api/chat", endless, Content_Type="application/json")
        assert answer.status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server hung up while we still sent
    assert web.get("/api/memory").status == 200
    assert web.get("/api/nosuch").status == 404
    assert web.get("/assets/../node.py").status == 404
    assert web.get("/api/chat").status == 405


def test_sliders_presets_and_adapters_reach_the_brain(web, clara):
    assert web.post("/api/personality", {"values": {"warmth": 0.25}}).status == 200
    assert web.get("/api/personality").json["traits"][0]["value"] == 0.25
    assert web.post("/api/personality", {"preset": "calm", "fade": 30}).status == 200
    asked = clara.last("personality/set")
    assert (asked.preset, asked.fade, asked.names) == ("calm", 30.0, [])
    assert web.get("/api/adapters").json["adapters"][0]["scale"] == 0.5
    scaled = web.post("/api/adapters", {"scales": {"pirate": -1.5}})
    assert scaled.json["adapters"][0]["scale"] == -1.5


def test_sessions_are_listed_shown_and_reset_under_any_name(web, clara):
    assert web.get("/api/sessions").json["sessions"][0]["session_id"] == "a/b"
    shown = web.post("/api/sessions/get", {"session": "a/b"}).json
    assert shown["exchanges"] == [{"user": "hi", "assistant": "*hello*"}]
    assert web.post("/api/sessions/reset", {"session": "a/b"}).json["turns"] == 1
    assert clara.last("session/reset").session_id == "a/b"


def test_memory_answers_with_numbers_that_json_has(web):
    found = web.post("/api/memory/query", {"text": "what about the cup?"}).json["episodes"]
    assert found[0]["score"] is None and found[0]["episode"]["object"] == "cup"


def test_an_error_code_of_a_node_comes_with_its_name(web):
    answer = web.get("/api/model")
    assert (answer.status, answer.json["name"]) == (502, "NO_MODEL")


def test_episodes_moves_of_sliders_and_health_reach_every_page_live(web, clara):
    with web.news() as first, web.news() as second:
        assert next(first)[0] == next(second)[0] == "health"  # at once, for a page that is new
        clara.episodes.publish(Episode(episode_id="live1", action="WAVE", detail="<b>hi</b>"))
        moved = ParameterMessage(
            name="personality.warmth", value=Parameter("x", value=0.1).get_parameter_value()
        )
        wait_until(clara.parameters.get_subscription_count, "the console to hear parameters")
        for node in ("/elsewhere/brain", "/clara/brain"):
            clara.parameters.publish(ParameterEvent(node=node, changed_parameters=[moved]))
        clara.tell_health("clara/brain: brain", DiagnosticStatus.WARN, "hot", turns="7")
        for news in (first, second):
            seen = {}
            for name, data in news:
                seen.setdefault(name, []).append(data)
                statuses = seen.get("health", [{"statuses": []}])[-1]["statuses"]
                if statuses and {"episode", "personality"} <= set(seen):
                    break
            assert seen["episode"][0]["episode_id"] == "live1"
            assert [round(moved["warmth"], 3) for moved in seen["personality"]] == [0.1]
            assert statuses[0]["message"] == "hot" and statuses[0]["level"] == 1
            assert statuses[0]["values"] == [{"key": "turns", "value": "7"}]
            assert seen["health"][-1]["up"] == {"brain": True, "memory": True}


def test_a_page_that_does_not_read_holds_nobody_up(web, clara):
    with web.open("GET", "/api/live"), web.news() as reader:
        next(reader)
        for number in range(400):
            clara.episodes.publish(Episode(episode_id=f"n{number}", detail="x" * 1000))
            if number % 50 == 49:
                time.sleep(0.05)
        ids = []
        for name, data in reader:
            if name == "episode" and data["episode_id"].startswith("n"):
                ids.append(data["episode_id"])
            if ids and ids[-1] == "n399":
                break
        assert ids == [f"n{number}" for number in range(400)]


def test_the_page_and_its_parts_are_served_from_the_package_alone(web):
    page = web.get("/")
    assert page.status == 200 and "https://" not in page.text and "http://" not in page.text
    for part in ("console.js", "markdown.js", "console.css", "clara.svg"):
        assert web.get(f"/assets/{part}").status == 200


def test_beyond_this_machine_it_does_not_start_without_a_token(start):
    process = start.node("clara_console.node", host="0.0.0.0", port=0)
    assert process.wait() == 1
    assert process.said.strip() == (
        "console: host 0.0.0.0 can be reached from other machines, so a token is needed:"
        " set CLARA_CONSOLE_TOKEN or the parameter token_file"
    )


def test_with_a_token_file_it_listens_everywhere_and_no_log_has_the_token(start, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    process, web = start.console(host="0.0.0.0", token_file=file)
    assert web.get("/api/memory").status == 401
    # In, whether or not it has found a memory yet.
    assert web.get("/api/memory", Authorization=f"Bearer {TOKEN}").status in (200, 503)
    assert web.get("/api/memory", Authorization="Bearer guessed").status == 401
    assert process.stop() == 0
    assert "(needs the token)" in process.said and "chmod 600" in process.said
    assert "a wrong token came from 127.0.0.1" in process.said
    assert TOKEN not in process.said and "guessed" not in process.said


def test_a_taken_port_and_a_bad_parameter_are_one_sentence_each(start):
    _, web = start.console()
    second = start.node("clara_console.node", port=web.port)
    assert second.wait() == 1
    assert f"console: cannot listen on 127.0.0.1 port {web.port}" in second.said
    assert "console_port" in second.said
    bad = start.node("clara_console.node", port=70000)
    assert bad.wait() == 1 and "port" in bad.said
    assert len(bad.said.strip().splitlines()) == 1, bad.said


def test_who_waits_for_an_answer_when_it_ends_is_told_so(start, clara):
    process, web = start.console(service_timeout=60.0)
    wait_until(lambda: web.get("/api/memory").status == 200, "the console to know the memory")
    answers = []
    ask = threading.Thread(
        target=lambda: answers.append(web.post("/api/memory/query", {"text": "slow"}))
    )
    before = len(clara.requests)
    ask.start()
    wait_until(lambda: len(clara.requests) > before, "the question")
    assert process.stop() == 0
    ask.join(LIMIT_S)
    clara.canceled.set()
    assert answers[0].status == 503 and answers[0].json["error"] == "the console was ended"
    assert "Traceback" not in process.said, process.said


def test_of_sixty_turns_asked_for_at_once_32_are_taken_and_those_that_end_make_room(start, clara):
    _, web = start.console(service_timeout=60.0, requests_per_second=1000.0)

    def one_is_taken():
        with web.open("POST", "/api/chat", {"text": "hello"}) as response:
            return response.status == 200

    wait_until(one_is_taken, "the console to know the brain")
    clara.reply = speak_until_canceled
    as_json = {"Content-Type": "application/json"}
    pages = [HTTPConnection("127.0.0.1", web.port, timeout=LIMIT_S) for _ in range(60)]
    for page in pages:
        page.connect()
    for page in pages:
        page.request("POST", "/api/chat", '{"text": "go on"}', as_json)
    statuses = [page.getresponse().status for page in pages]
    assert (statuses.count(200), statuses.count(503)) == (32, 28)
    for page in pages:
        page.close()
    clara.canceled.set()
    clara.reply = speak
    wait_until(one_is_taken, "room for a turn")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_three_seconds_and_cleanly_also_with_pages_open(start, number):
    process, web = start.console()
    with web.news() as news, web.news():
        next(news)
        began = time.monotonic()
        process.process.send_signal(number)
        assert process.wait() == 0, process.said
        assert time.monotonic() - began < 3.0
        assert [name for name, _ in news if name != "health"] == []
    assert json.dumps(process.said).count("\\n") == 1, process.said
