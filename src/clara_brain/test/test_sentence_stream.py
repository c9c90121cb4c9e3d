# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A reply that is cut into sentences while it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from clara_brain.decoding import Stop
from clara_brain.sentence_stream import LONGEST, SentenceStream
from clara_brain.speech import SpokenReply
from hypothesis import given, settings
from hypothesis import strategies as st

from clara_interfaces.action import Chat
from clara_interfaces.msg import Sentence, Utterance


def cut(pieces: Sequence[str]) -> list[str]:
    stream = SentenceStream()
    found = [sentence for piece in pieces for sentence in stream.push(piece)]
    return found + stream.finish()


def letters(text: str) -> str:
    return "".join(text.split())


# What stands between bars is a sentence.
TALK = (
    "Hello! | How are you? | I am fine.",
    "Dr. Smith and Mrs. Brown have 3.5 m of rope. | It is long.",
    "Take tools, e.g. a hammer, i.e. a heavy one. | Then rest.",
    "The U.S. Army left the U.S. | It was 2:30 p.m. | We ate at 6 p.m. on Monday.",
    "J. R. R. Tolkien wrote it. | Vitamin C. | It helps.",
    "No. | I will not. | See No. 5 and Fig. 3 of Smith et al. | Yes.",
    "Founded by Acme Inc. in Oct. 1990 in St. Louis. | Cups, plates etc. are clean.",
    "Well... | I think so. | Hmm… maybe. | And so on...",
    "What?! | No way!! | Really? | that is new.",
    '"Stop!" he said. | "Go." | She went (I think.) | Then “Hi.” | It is *so.*',
    "Great! 😊 | Let's go. | Wow!👍🏽 | Hello 😊 how are you",
    "See https://example.com/a.b?c=d.e and README.md. | Version 2.0 is out.",
    "你好。 | 我是Clara！ | 「好。」 | 很好",  # noqa: RUF001
    "كيف حالك؟ | أنا بخير، شكرا. | نعم",
    "यह अच्छा है। | हाँ।",
    "It is 5. | 3 were red.",
    ". . . ?!",
)


@pytest.mark.parametrize("talk", TALK)
def test_a_sentence_ends_at_its_stop_and_at_no_other(talk):
    sentences = [each.strip() for each in talk.split("|") if each.strip()]
    between = "" if "你" in talk else " "
    assert cut([between.join(sentences)]) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("1. Wash it.\n2. Dry it.\n\nDone", ["1. Wash it.", "2. Dry it.", "Done"]),
        ("I need:\n- a cup\n* **tea.**\n", ["I need:", "- a cup", "* **tea.**"]),
        ("# Tea\n\n---\n\nBoil it", ["# Tea", "---\n\nBoil it"]),
        ("a line that was\nfull goes on. So", ["a line that was\nfull goes on.", "So"]),
        (
            "So:\n```python\nx = 1. y\n\n  go('a. B')\n```\nRun it. Now",
            ["So:", "```python", "x = 1. y", "go('a. B')", "```", "Run it.", "Now"],
        ),
        (" \n\n ", []),
    ],
)
def test_a_line_of_a_list_or_of_code_is_a_sentence(text, sentences):
    assert cut([text]) == sentences


def test_no_sentence_is_given_before_what_follows_its_stop_is_known():
    stream = SentenceStream()
    pieces = ("I am 3", ".", " ", "It", " is 3", ".", "5 m")
    assert [stream.push(piece) for piece in pieces] == [[], [], [], ["I am 3."], [], [], []]
    assert stream.push(".") == [] and stream.finish() == ["It is 3.5 m."]
    assert stream.finish() == []


def test_speech_does_not_wait_for_a_text_without_an_end():
    listed = "and an apple, " * 40
    parts = cut([listed])
    assert all(part.endswith(",") and len(part) <= LONGEST for part in parts) and len(parts) > 2
    words = cut(["word " * 200])
    assert all(set(part.split()) == {"word"} and len(part) <= LONGEST for part in words)
    assert max(map(len, cut(["a" * 950]))) <= LONGEST
    assert all(part.startswith("é") for part in cut(["é" * 450]))
    for endless in ("...", "?", ")", "'. ", "```\n", "e.g. ", "😊", "a.\t", ". (", "p.m. The"):
        stream = SentenceStream()
        given = [sentence for _ in range(400) for sentence in stream.push(endless)]
        assert len(letters(endless * 400)) - len(letters("".join(given))) <= 2 * LONGEST, endless


_WORDS = st.sampled_from(
    [
        *("Dr", "e.g", "U.S", "p.m", "The", "I", "Clara", "No", "5", "3.5", "etc", "word", "é"),
        *(".", "..", "…", "?", "!", "。", "؟", ",", "،", ":", " ", "  ", "\n", "\n\n", "\t"),
        *("(", ")", '"', "”", "「", "」", "*", "-", "```", "`", "😊", "👍🏽", "👨‍👩‍👧", "a.b/c?d"),
        *("x" * 90, " " * 20, "." * 20, ")" * 20),
    ]
)
_TEXTS = st.one_of(st.lists(_WORDS, max_size=60).map("".join), st.text(max_size=300))


@settings(deadline=None)
@given(_TEXTS, st.data())
def test_the_sentences_are_the_same_however_the_text_is_cut_into_pieces(text, data):
    whole = cut([text])
    assert cut(list(text)) == whole
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    pieces = [text[one:other] for one, other in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert cut(pieces) == whole
    # Nothing is lost, and nothing is said twice.
    assert letters("".join(whole)) == letters(text)
    assert all(each and each == each.strip() for each in whole)


def spoken() -> tuple[SpokenReply, list[Sentence]]:
    """Return a reply and what is published of it."""
    from builtin_interfaces.msg import Time

    now = SimpleNamespace(to_msg=lambda: Time(sec=1))
    node = SimpleNamespace(get_clock=lambda: SimpleNamespace(now=lambda: now))
    published: list[Sentence] = []
    publisher = SimpleNamespace(publish=published.append)
    return SpokenReply(node, publisher, Utterance(request_id="r", session_id="s")), published


def test_exactly_one_sentence_is_the_last_and_says_how_the_reply_ended():
    for pieces, texts in (
        (["Hi", ". I am", " Clara."], ["Hi.", "I am Clara."]),
        (["Hi.\n\n"], ["Hi.", ""]),
        ([], [""]),
    ):
        reply, published = spoken()
        for piece in pieces:
            reply.push(piece)
        reply.end(Chat.Result.NONE)
        assert [each.text for each in published] == texts
        assert [each.seq for each in published] == list(range(len(texts)))
        assert [each.last for each in published] == [False] * (len(texts) - 1) + [True]
        assert {(each.request_id, each.session_id, each.error_code) for each in published} == {
            ("r", "s", 0)
        }


def test_what_is_cut_short_leaves_half_a_sentence_unsaid_and_says_no_more():
    for how, code in (
        (Stop.CANCELED, Chat.Result.CANCELED),
        (Stop.DEADLINE, Chat.Result.DEADLINE_EXCEEDED),
        (Stop.ERROR, Chat.Result.SHUTTING_DOWN),
    ):
        reply, published = spoken()
        reply.push("One. Two. Thr")
        reply.cut_short(how)
        reply.push("ee. Four. ")
        reply.end(Chat.Result.NONE)
        assert [each.text for each in published] == ["One.", "Two.", ""]
        assert published[-1].last and published[-1].error_code == code


def test_words_that_come_from_another_thread_while_a_reply_is_cut_short_are_not_behind_its_end():
    reply, published = spoken()
    talking = threading.Thread(target=lambda: [reply.push("Go on. ") for _ in range(3000)])
    talking.start()
    while len(published) < 100:
        time.sleep(0.001)
    reply.cut_short(Stop.CANCELED)
    talking.join()
    assert [each.seq for each in published] == list(range(len(published)))
    assert [each.last for each in published].index(True) == len(published) - 1
