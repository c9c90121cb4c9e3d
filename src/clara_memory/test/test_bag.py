# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that `ros2 bag record` split into files."""

import pytest
from clara_memory.bag import read_bag
from test_cli_files import definition


def test_the_files_of_a_split_bag_are_read_as_they_were_recorded(tmp_path):
    writers = pytest.importorskip("mcap_ros2.writer")

    for number in range(12):
        with (tmp_path / f"run_{number}.mcap").open("wb") as file, writers.Writer(file) as writer:
            stamp = {"sec": 1_700_000_000 + number, "nanosec": 0}
            message = {
                "header": {"stamp": stamp, "frame_id": ""},
                "action_id": str(number),
                "subject": "",
                "action": "GO",
                "object": "",
                "context": [],
            }
            name = "clara_interfaces/msg/ActionEvent"
            moment = stamp["sec"] * 10**9
            writer.write_message(
                "/clara/action_event",
                writer.register_msgdef(name, definition("ActionEvent")),
                message,
                log_time=moment,
                publish_time=moment,
            )
    read = [event.action_id for _, event in read_bag(tmp_path)]
    assert read == [str(number) for number in range(12)]
