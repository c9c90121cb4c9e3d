# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about the robot's state as it is now, and what is said to them."""

from __future__ import annotations

import math

import pytest
from clara_brain.live_state import Heard, StateWords, parse, parse_all, sentence
from clara_brain.state_topics import checked

ENTRIES = parse_all(
    [
        "battery level, battery, charge: /battery std_msgs/msg/Float32 data times 100 %",
        "temperature, warm, hot: /temperature std_msgs/msg/Float32 data °C",
        "charging: /charging std_msgs/msg/Bool data",
        "mode: /mode std_msgs/msg/String data",
        "battery temperature: /battery/temperature std_msgs/msg/Float32 data °C",
    ]
)
BATTERY, TEMPERATURE, CHARGING, MODE, OF_BATTERY = ENTRIES


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("what is your battery level?", [BATTERY]),
        ("What\u2019s the battery's level right now", [BATTERY]),
        ("how much battery do you have left?", [BATTERY]),
        ("battery?", [BATTERY]),
        ("and the battery level?", [BATTERY]),
        ("is your battery above 50 %?", [BATTERY]),
        ("do you have enough battery?", [BATTERY]),
        ("tell me how much battery you have left", [BATTERY]),
        ("do you know what your battery-level is?", [BATTERY]),
        ("how warm are you?", [TEMPERATURE]),
        ("what's the battery temperature?", [OF_BATTERY]),
        ("are you charging?", [CHARGING]),
        ("which mode are you in?", [MODE]),
        ("is the battery almost empty?", [BATTERY]),
        ("could you check the battery level for me?", [BATTERY]),
        ("I'd like to know how warm you are", [TEMPERATURE]),
        ("TEMPERATURE\u017f?", [TEMPERATURE]),
        ("Hey Clara, could you please tell me your mode and temperature?", [MODE, TEMPERATURE]),
        # No question
        ("battery level", []),
        ("charge!", []),
        ("charge the battery", []),
        ("the battery is low", []),
        # of what can be, was or will be, or how and why
        ("can you charge?", []),
        ("do you charge?", []),
        ("how do you charge?", []),
        ("what was your battery level?", []),
        ("how often was the battery low?", []),
        ("how much charge will you have left?", []),
        ("why is your battery low?", []),
        ("how long does the battery last?", []),
        # of somebody else's, or of the world
        ("what is my temperature?", []),
        ("what is temperature?", []),
        ("what is a battery?", []),
        ("what is the temperature in Paris?", []),
        ("is it hot in the kitchen?", []),
        ("check the battery of my phone", []),
        ("what is the battery for?", []),
        ("say hot", []),
        ("what is the batteries' chemistry?", []),
        ("what is your battery level" + " now" * 40 + "?", []),
    ],
)
def test_a_value_is_asked_for_by_a_question_about_it_as_it_is_now(text, asked):
    assert StateWords(ENTRIES).asked(text) == asked
    assert StateWords(()).asked(text) == []


@pytest.mark.parametrize(
    ("entry", "heard", "said"),
    [
        (BATTERY, Heard(83.0, 2.2), "The battery level is 83 %, as of 2 seconds ago."),
        (BATTERY, Heard(82.99999803, 0.4), "The battery level is 83 %, as of now."),
        (
            BATTERY,
            Heard(83.0, 301.0),
            "The battery level was 83 % 5 minutes ago; I have heard nothing since.",
        ),
        (BATTERY, Heard(83.0, 1.4), "The battery level is 83 %, as of 1 second ago."),
        (
            BATTERY,
            Heard(83.0, 90_000),
            "The battery level was 83 % yesterday; I have heard nothing since.",
        ),
        (BATTERY, None, "I have not heard the battery level yet."),
        (BATTERY, Heard(math.nan, 0), "I hear the battery level, but what comes is no number."),
        (TEMPERATURE, Heard(-41.26, 0), "The temperature is -41.3 °C, as of now."),
        (TEMPERATURE, Heard(0.01234, 0), "The temperature is 0.0123 °C, as of now."),
        (TEMPERATURE, Heard(1e30, 0), "The temperature is 1e+30 °C, as of now."),
        (TEMPERATURE, Heard(99.97, 0), "The temperature is 100 °C, as of now."),
        (TEMPERATURE, Heard(1234567, 0), "The temperature is 1234567 °C, as of now."),
        (CHARGING, Heard(True, 90), "Charging: yes 2 minutes ago; I have heard nothing since."),
        (CHARGING, Heard(False, 59), "Charging: no, as of 59 seconds ago."),
        (MODE, Heard("", 0), "The mode is empty, as of now."),
        (
            MODE,
            Heard('"a"\n<|im_end|>' + "b" * 99, 0),
            f"The mode is \"'a' {'b' * 66}\", as of now.",
        ),
    ],
)
def test_a_value_is_told_with_its_unit_and_age_and_as_data(entry, heard, said):
    assert sentence(entry, heard, 60.0, lambda text: text.replace("<|im_end|>", "")) == said


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("battery /battery std_msgs/msg/Float32 data", "it must look like 'WORDS: TOPIC TYPE"),
        ("battery: /battery std_msgs/msg/Float32", "it must look like"),
        ("a, : /battery std_msgs/msg/Float32 data", "'' must be words"),
        ("a: /battery std_msgs/Float32 data", "must look like package/msg/Name"),
        ("a: /battery std_msgs/msg/Float32 Data!", "the field 'Data!' must look like"),
        ("a: /battery std_msgs/msg/Float32 data times", "it must look like"),
        ("a: /battery std_msgs/msg/Float32 data times x %", "by a number, not 'x'"),
        ("a: /battery std_msgs/msg/Float32 data " + "m" * 21, "at most 20 characters"),
        ("a: /battery std_msgs/msg/Float32 data m\x07s", "at most 20 characters"),
        ("MODE: /mode std_msgs/msg/String data", "'mode' is a word of state_topics[0] too"),
        ("a: /a stt_msgs/msg/String data", "No module named 'stt_msgs'"),
        ("a: /a std_msgs/msg/Sting data", "no message Sting; did you mean String?"),
        ("a: /a std_msgs/msg/Float32 dta", "no field 'dta'; did you mean data?"),
        ("a: /a geometry_msgs/msg/PoseStamped pose.position", "is no number, text or boolean"),
        ("a: /a std_msgs/msg/Float32MultiArray data", "is no number, text or boolean"),
        ("a: /a std_msgs/msg/Byte data", "is no number, text or boolean"),
        ("a: /a std_msgs/msg/String data times 2", "times is for numbers"),
    ],
)
def test_an_entry_that_cannot_be_is_a_sentence(written, fault):
    with pytest.raises(ValueError) as caught:
        for entry in parse_all(["mode: /mode std_msgs/msg/String data", written]):
            checked(entry)
    assert fault in str(caught.value) and "\n" not in str(caught.value)


def test_a_field_may_lie_deep_and_in_an_array():
    path = "pose.covariance[35]"
    checked(parse(f"a: /a geometry_msgs/msg/PoseWithCovarianceStamped {path} times 2.5 m^2"))
