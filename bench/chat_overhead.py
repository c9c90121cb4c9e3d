#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`chat` over ROS against the same prompt through bare llama-cpp-python, turn about.

Both sides have the same model file, threads, context, batch and greedy sampling; the bare side is
`Llama.create_chat_completion(stream=True)` in this process, the other a brain node reached over
DDS. Both keep the evaluated prefix of the prompt. The prompts must have the same tokens, or the
benchmark stops: it would compare different work. Times are what the caller sees: from the call to
the first piece of text, and from that to the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import llama_cpp
from clara_brain.model_info import default_model
from clara_brain.settings import EngineSettings
from conftest import active
from domain_coordinator import domain_id
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from rclpy.action import ActionClient
from report import report, summary
from running import Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.msg import Sampling
from clara_interfaces.srv import GetPersonality

SUBJECTS = (
    "the sea",
    "a bicycle",
    "tea",
    "the moon",
    "bread",
    "a piano",
    "rain",
    "a garden",
    "snow",
)
SUBJECTS += (
    "a lamp",
    "the desert",
    "a train",
    "honey",
    "a bridge",
    "the wind",
    "a clock",
    "paper",
)
SUBJECTS += ("a violin", "sand", "an island", "wool", "a mirror", "salt", "a forest")


def bare_turn(
    model: llama_cpp.Llama, system: str, text: str, tokens: int
) -> tuple[int, int, float, float]:
    """Return tokens of prompt and reply, seconds to the first piece, and from that to the end."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    began = time.perf_counter()
    first = 0.0
    reply = ""
    for chunk in model.create_chat_completion(
        messages, stream=True, max_tokens=tokens, temperature=0.0, repeat_penalty=1.0
    ):
        piece = chunk["choices"][0]["delta"].get("content")
        if piece:
            first = first or time.perf_counter()
            reply += piece
    ended = time.perf_counter()
    template = Jinja2ChatFormatter(model.metadata["tokenizer.chat_template"], "<|im_end|>", "")
    prompt = model.tokenize(
        template(messages=messages).prompt.encode(), add_bos=False, special=True
    )
    count = len(model.tokenize(reply.encode(), add_bos=False))
    return len(prompt), count, first - began, ended - first


def ros_turn(
    peer: Peer, client: ActionClient, text: str, tokens: int
) -> tuple[int, int, float, float]:
    """Return tokens of prompt and reply, seconds to the first feedback, and on to the result."""
    goal = Chat.Goal(
        text=text,
        max_tokens=tokens,
        memory_policy=Chat.Goal.NEVER,
        skill_policy=Chat.Goal.NEVER,
        sampling=Sampling(temperature=0.0, repeat_penalty=1.0),
    )
    first: list[float] = []
    began = time.perf_counter()
    sent = client.send_goal_async(
        goal, feedback_callback=lambda _: first.append(time.perf_counter())
    )
    handle = peer.finish(sent, 60.0, "acceptance")
    result = peer.finish(handle.get_result_async(), 120.0, "result").result
    ended = time.perf_counter()
    if result.error_code != Chat.Result.NONE:
        sys.exit(f"the brain answered with error {result.error_code}: {result.error_msg}")
    usage = result.usage
    return usage.prompt_tokens, usage.completion_tokens, first[0] - began, ended - first[0]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=len(SUBJECTS))
    parser.add_argument("--tokens", type=int, default=96)
    options = parser.parse_args()
    settings = EngineSettings()
    with domain_id() as domain, tempfile.TemporaryDirectory() as home:
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        node = Process(
            *("ros2", "run", "clara_brain", "brain_node", "--ros-args"),
            *("-r", "__ns:=/clara", "-p", "autostart:=true"),
            env={"HOME": home},
        )
        peer = Peer(int(domain))
        try:
            peer.spin_until(lambda: active(peer, "brain"), 120.0, "brain active")
            system = peer.call(GetPersonality, "personality/get").system_prompt
            model = llama_cpp.Llama(
                str(default_model()),
                n_ctx=settings.n_ctx,
                n_batch=settings.n_batch,
                n_ubatch=settings.n_batch,
                n_threads=settings.threads(),
                n_threads_batch=settings.threads(),
                verbose=False,
            )
            client = ActionClient(peer.node, Chat, "chat")
            peer.spin_until(client.server_is_ready, 30.0, "chat")
            first: dict[str, list[float]] = {"bare": [], "ros": []}
            speed: dict[str, list[float]] = {"bare": [], "ros": []}
            for number in range(-1, options.rounds):
                text = f"Tell me three things about {SUBJECTS[number % len(SUBJECTS)]}."
                turns = {}
                for side in ("bare", "ros") if number % 2 else ("ros", "bare"):
                    if side == "bare":
                        turns[side] = bare_turn(model, system, text, options.tokens)
                    else:
                        turns[side] = ros_turn(peer, client, text, options.tokens)
                if turns["bare"][0] != turns["ros"][0]:
                    sys.exit(f"prompts of {turns['bare'][0]} and {turns['ros'][0]} tokens differ")
                shortest = min(turn[1] for turn in turns.values())
                if number < 0 or shortest < options.tokens // 3:
                    continue  # a warm-up, or too short a reply to tell a speed
                for side, (_, count, to_first, rest) in turns.items():
                    first[side].append(to_first)
                    speed[side].append((count - 1) / rest)
        finally:
            peer.close()
            node.close()
    ratio = statistics.median(speed["ros"]) / statistics.median(speed["bare"])
    paired = [ros / bare for ros, bare in zip(speed["ros"], speed["bare"], strict=True)]
    added = [ros - bare for ros, bare in zip(first["ros"], first["bare"], strict=True)]
    rows = {
        "turns compared": str(len(added)),
        "bare llama-cpp-python": f"{statistics.median(speed['bare']):.1f} tokens/s, "
        f"first text after {statistics.median(first['bare']) * 1e3:.0f} ms",
        "chat over ROS": f"{statistics.median(speed['ros']):.1f} tokens/s, "
        f"first text after {statistics.median(first['ros']) * 1e3:.0f} ms",
        "tokens/s, ratio of medians": f"{ratio:.3f}",
        "time to first token, median added": f"{statistics.median(added) * 1e3:+.1f} ms",
    }
    figures = {
        "tokens": options.tokens,
        "tokens_per_second": {name: summary(values) for name, values in speed.items()},
        "ratio_of_medians": ratio,
        "paired_ratio": summary(paired),
        "time_to_first_token_s": {name: summary(values) for name, values in first.items()},
        "added_time_to_first_token_s": summary(added),
    }
    report("chat_overhead", "chat over ROS against bare llama-cpp-python", rows, figures)


if __name__ == "__main__":
    main()
