# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in, over real HTTP: with and without a token, from other names and other pages."""

import logging
import socket

import pytest
from clara_console.rate import MOST_ADDRESSES, RateLimit
from serving import Web, serving
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

TOKEN = "correct-horse-battery-staple"


async def _hello(request):
    return PlainTextResponse("hello")


APP = Starlette(
    routes=[
        Route("/", _hello),
        Route("/api/hello", _hello, methods=["GET", "POST"]),
        Route("/assets/style.css", _hello),
    ]
)


@pytest.fixture
def open_port():
    with serving(APP) as port:
        yield port


@pytest.fixture
def guarded():
    with serving(APP, TOKEN) as port:
        yield Web(port)


@pytest.mark.parametrize("host", ["127.0.0.1:8470", "localhost:8470", "[::1]:8470", "127.0.0.1"])
def test_without_a_token_this_machine_gets_in_under_its_own_names(open_port, host):
    assert Web(open_port).get("/api/hello", Host=host).text == "hello"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8470", "127.0.0.1.evil.example", "[", ""]
)
def test_without_a_token_a_name_that_is_not_ours_is_refused_because_of_dns_rebinding(
    open_port, host
):
    answer = Web(open_port).get("/api/hello", Host=host)
    assert answer.status == 403 and "is not served under the name" in answer.json["error"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:1"])
def test_a_request_that_another_page_makes_is_refused(open_port, guarded, origin):
    for web in (Web(open_port), guarded):
        answer = web.post("/api/hello", Origin=origin, Authorization=f"Bearer {TOKEN}")
        assert answer.status == 403 and "may not ask this console" in answer.json["error"]


def test_the_page_s_own_requests_pass_and_what_fetch_says_of_a_foreign_one_counts(open_port):
    web = Web(open_port)
    own = f"http://127.0.0.1:{open_port}"
    assert web.post("/api/hello", Origin=own, Sec_Fetch_Site="same-origin").status == 200
    assert web.get("/api/hello", Sec_Fetch_Site="cross-site").status == 403
    assert web.get("/", Sec_Fetch_Site="cross-site").status == 200  # a link on another page


def test_with_a_token_nothing_but_the_door_is_open_to_who_has_none(guarded):
    door = guarded.get("/")
    assert door.status == 401 and "Token of this console" in door.text and "hello" not in door.text
    assert guarded.get("/assets/style.css").text == "hello"
    assert guarded.get("/assets/../api/hello").status == 404
    for path in ("/api/hello", "/elsewhere", "/api/hello?token=" + TOKEN):
        answer = guarded.get(path)
        assert answer.status == 401 and "hello" not in answer.text, path
    assert guarded.get("/api/hello").headers["WWW-Authenticate"] == "Bearer"


def test_a_program_gets_in_with_the_token_in_its_header_and_with_nothing_like_it(guarded):
    assert guarded.get("/api/hello", Authorization=f"Bearer {TOKEN}").text == "hello"
    for given in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", f"Basic {TOKEN}", "é"):
        assert guarded.get("/api/hello", Authorization=given).status == 401, given


def test_a_person_signs_in_and_gets_a_cookie_that_does_not_hold_the_token(guarded):
    form = "application/x-www-form-urlencoded"
    wrong = guarded.post("/sign-in", "token=something-else", Content_Type=form)
    assert wrong.status == 401 and "That is not the token." in wrong.text
    right = guarded.post("/sign-in", f"token={TOKEN}", Content_Type=form)
    assert (right.status, right.headers["Location"]) == (303, "/")
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and TOKEN not in cookie
    mine = cookie.split(";")[0]
    assert guarded.get("/api/hello", Cookie=mine).text == "hello"
    assert guarded.get("/api/hello", Cookie=mine[:-1] + "x").status == 401
    with serving(APP, TOKEN + "2") as port:  # another console, or the token was changed
        name = f"clara_console_{port}"
        assert Web(port).get("/api/hello", Cookie=f"{name}={mine.split('=')[1]}").status == 401


def test_the_address_of_a_wrong_try_leads_to_the_door_and_past_it_who_is_in(guarded, open_port):
    for web in (guarded, Web(open_port)):
        answer = web.get("/sign-in")
        assert (answer.status, answer.headers["Location"]) == (303, "/")


def test_guessing_tokens_is_slowed_down_and_logged_without_what_was_tried(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    answers = [guarded.get("/api/hello", Authorization=f"Bearer guess-{n}") for n in range(8)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 3
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
    # Not even the right one is looked at now, or the guessing would go on.
    assert guarded.get("/api/hello", Authorization=f"Bearer {TOKEN}").status == 429
    assert guarded.post("/sign-in", f"token={TOKEN}").status == 429
    assert "a wrong token came from 127.0.0.1" in caplog.text
    assert "guess-" not in caplog.text and TOKEN not in caplog.text


def test_an_address_that_asks_too_often_is_told_to_wait_and_may_then_go_on():
    with serving(APP, rate=4.0) as port:
        web = Web(port)
        answers = [web.get("/api/hello") for _ in range(24)]
        refused = [answer for answer in answers if answer.status == 429]
        assert answers[19].status == 200 and refused
        assert "too many requests" in refused[0].json["error"]
        assert refused[0].headers["Retry-After"] == "1"


def test_buckets_fill_again_keep_addresses_apart_and_are_bounded_in_number():
    now = [100.0]
    limit = RateLimit(2.0, 3, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limit.take("b") == 0
    now[0] += 0.5
    assert limit.take("a") == 0 and limit.take("a") > 0
    now[0] += 1000.0
    assert [limit.take("a") for _ in range(4)].count(0) == 3
    for number in range(2 * MOST_ADDRESSES):
        limit.take(f"10.{number}")
    assert len(limit._buckets) == MOST_ADDRESSES


def test_every_answer_forbids_foreign_scripts_frames_and_caching_of_what_was_said(guarded):
    for path in ("/", "/api/hello", "/assets/style.css"):
        headers = guarded.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert (headers["Cache-Control"] == "no-store") == (not path.startswith("/assets/"))
        assert headers["Server"] is None


def test_what_is_not_http_gets_an_error_and_the_server_goes_on(open_port):
    with socket.create_connection(("127.0.0.1", open_port), 5.0) as one:
        one.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        assert b"400" in one.recv(100)
    assert Web(open_port).get("/api/hello").status == 200
