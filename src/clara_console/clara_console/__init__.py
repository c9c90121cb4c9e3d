# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A web page for the operator of a robot with Clara, served by a ROS 2 node of its own."""
