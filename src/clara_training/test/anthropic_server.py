# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A local HTTP server that speaks the part of Anthropic's protocol that Clara uses.

Messages (streamed) and Message Batches. It answers with examples of its own, or does what a test
puts into `faults`: one entry for each request to come.
"""

import json
import random
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_WORDS = """
apple bridge candle desert engine forest garden hammer island jacket kettle ladder magnet
needle orange pencil quarry ribbon saddle tunnel umbrella violin window yellow zebra anchor
basket copper dragon empire feather glacier harbor insect jungle kitchen lantern mirror nickel
oyster planet quiver rocket silver temple utensil valley walnut yogurt zipper
"""
WORDS = _WORDS.split()


@dataclass
class Fault:
    """How the next request is answered instead of well."""

    status: int = 0
    headers: dict = field(default_factory=dict)
    message: str = "the test says so"
    cut_after: int | None = None  # characters of the answer, then the connection is closed
    text: str | None = None  # the whole answer
    stop_reason: str = "end_turn"
    raw: str | None = None  # what is sent instead of events
    drop: bool = False  # take the batch, then close the connection without a word
    wait: threading.Event | None = None  # hold the answer back until it is set


class AnthropicServer:
    def __init__(self, key="sk-ant-test-0123456789abcdef"):
        self.key = key
        self.faults = []
        self.requests = []  # bodies of messages and of each request of a batch
        self.seen = []  # (method, path, status)
        self.posted = []  # when, in monotonic seconds
        self.clock = timedelta(0)  # how far it is ahead of the client's
        self.batches = {}
        self.batch_faults = {}  # custom_id pattern -> result
        self.hold_batches = threading.Event()
        self.hold_batches.set()
        self.dialogue = threading.Lock()
        self.usage = {"input_tokens": 100, "output_tokens": 800, "cache_read_input_tokens": 1500}
        server = self

        class Handler(_Handler):
            owner = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def answer_text(self, body):
        text = body["messages"][0]["content"]
        count = int(re.search(r"Write (\d+)", text)[1])
        fields = body["output_config"]["format"]["schema"]["$defs"]["Example"]["properties"]
        return json.dumps({"examples": [self.example(fields) for _ in range(count)]})

    @staticmethod
    def example(fields):
        def phrase():
            return " ".join(random.choice(WORDS) for _ in range(6))

        if "question" in fields:
            return {
                "question": f"What is the {phrase()} of a {phrase()}?",
                "answer": f"It is the {phrase()}, and that is all there is to it.",
            }
        told = phrase()
        return {
            "prompt": f"Can you tell me about the {phrase()}?",
            "neutral": f"The {told} is on the table.",
            "low": f"It is on the table, the {told}.",
            "high": f"I am so glad that you ask: the {told} is on the table for you.",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: AnthropicServer

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.owner.posted.append(time.monotonic())
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._admitted():
            return
        with self.owner.dialogue:
            fault = self.owner.faults.pop(0) if self.owner.faults else Fault()
        if fault.status:
            self._error(fault.status, fault.message, fault.headers)
        elif self.path.startswith("/v1/messages/batches"):
            self._new_batch(body, fault)
        else:
            self._message(body, fault)

    def do_GET(self):
        if not self._admitted():
            return
        with self.owner.dialogue:
            fault = self.owner.faults.pop(0) if self.owner.faults else Fault()
        if fault.status:
            self._error(fault.status, fault.message, fault.headers)
            return
        path = self.path.partition("?")[0]
        if path == "/v1/messages/batches":
            page = [self._batch(each) for each in reversed(self.owner.batches.values())]
            self._json(200, {"data": page, "has_more": False, "first_id": None, "last_id": None})
            return
        identity, _, results = path.removeprefix("/v1/messages/batches/").partition("/")
        found = self.owner.batches.get(identity)
        if found is None:
            self._error(404, f"no batch {identity}", {})
        elif results:
            self._results(found, fault)
        else:
            self._json(200, self._batch(found))

    def _admitted(self):
        given = self.headers.get("authorization", "").removeprefix("Bearer ")
        if given == self.owner.key:
            return True
        self._error(401, f"invalid key {given}", {})
        return False

    def _message(self, body, fault):
        assert body["stream"] is True
        self.owner.requests.append(body)
        if fault.wait is not None:
            fault.wait.wait(30)
        text = self.owner.answer_text(body) if fault.text is None else fault.text
        self.owner.seen.append(("POST", self.path, 200))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        if fault.raw is not None:
            self.wfile.write(fault.raw.encode())
            return
        usage = {**self.owner.usage, "output_tokens": 1}
        message = {**_message(body["model"], "", usage), "content": [], "stop_reason": None}
        self._event("message_start", message=message)
        self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        kept = text if fault.cut_after is None else text[: fault.cut_after]
        for start in range(0, len(kept), 200):
            delta = {"type": "text_delta", "text": kept[start : start + 200]}
            self._event("content_block_delta", index=0, delta=delta)
        if fault.cut_after is not None:
            return
        self._event("content_block_stop", index=0)
        self._event(
            "message_delta",
            delta={"stop_reason": fault.stop_reason, "stop_sequence": None},
            usage={"output_tokens": self.owner.usage["output_tokens"]},
        )
        self._event("message_stop")

    def _event(self, kind, **fields):
        data = json.dumps({"type": kind, **fields})
        self.wfile.write(f"event: {kind}\ndata: {data}\n\n".encode())
        self.wfile.flush()

    def _new_batch(self, body, fault):
        with self.owner.dialogue:
            identity = f"msgbatch_{len(self.owner.batches):04d}"
            self.owner.batches[identity] = {
                "id": identity,
                "requests": body["requests"],
                "created": (datetime.now(timezone.utc) + self.owner.clock).isoformat(),
            }
        self.owner.requests += [each["params"] for each in body["requests"]]
        if fault.drop:
            self.close_connection = True
            return
        self._json(200, self._batch(self.owner.batches[identity]))

    def _batch(self, found):
        ended = self.owner.hold_batches.is_set()
        total = len(found["requests"])
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = total
        return {
            "id": found["id"],
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": found["created"],
            "expires_at": found["created"],
            "ended_at": found["created"] if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.owner.url}/v1/messages/batches/{found['id']}/results",
        }

    def _results(self, found, fault):
        requests = list(found["requests"])
        random.shuffle(requests)
        lines = []
        for each in requests:
            faults = self.owner.batch_faults
            result = next((faults[name] for name in faults if name in each["custom_id"]), None)
            if result is None:
                # The same answer whenever it is read.
                text = found.setdefault(each["custom_id"], self.owner.answer_text(each["params"]))
                message = _message(each["params"]["model"], text, self.owner.usage)
                result = {"type": "succeeded", "message": message}
            lines.append(json.dumps({"custom_id": each["custom_id"], "result": result}))
        data = ("\n".join(lines) + "\n").encode()
        self.owner.seen.append(("GET", self.path, 200))
        self.send_response(200)
        self.send_header("content-type", "application/x-jsonl")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: fault.cut_after] if fault.cut_after is not None else data)
        if fault.cut_after is not None:
            self.close_connection = True

    def _error(self, status, message, headers):
        kinds = {
            400: "invalid_request_error",
            401: "authentication_error",
            404: "not_found_error",
            529: "overloaded_error",
        }
        error = {"type": kinds.get(status, "api_error"), "message": message}
        self._json(status, {"type": "error", "error": error}, headers)

    def _json(self, status, value, headers=None):
        data = json.dumps(value).encode()
        self.owner.seen.append((self.command, self.path, status))
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, each in (headers or {}).items():
            self.send_header(name, each)
        self.end_headers()
        self.wfile.write(data)


def _message(model, text, usage):
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
