# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A robot's own launch file with Clara in it: copy it to begin yours.

Clara's launch file is included inside the robot's namespace, so that several robots share a
network: with robot:=kitchen the nodes are /kitchen/clara/memory and /kitchen/clara/brain. The
robot's own node tells of its actions on names of its own, remapped to those that Clara knows.
"""

from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

ARGUMENTS = [
    DeclareLaunchArgument("robot", default_value="kitchen", description="the robot's namespace"),
    DeclareLaunchArgument(
        "memory_path",
        default_value=["~/.clara/", LaunchConfiguration("robot"), ".sqlite3"],
        description="file of the memory; robots on one computer need one each",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        choices=["true", "false"],
        description="take the time from /clock",
    ),
]


def generate_launch_description() -> LaunchDescription:
    """Return what `ros2 launch` runs."""
    robot = LaunchConfiguration("robot")
    clara = PathJoinSubstitution([FindPackageShare("clara_brain"), "launch", "clara.launch.py"])
    skills = PathJoinSubstitution([FindPackageShare("clara_demo"), "config", "skills.yaml"])
    events = ["qos_overrides./", robot, "/clara/action_event.subscription.depth"]
    return LaunchDescription(
        [
            *ARGUMENTS,
            GroupAction(
                [
                    PushRosNamespace(robot),
                    SetParameter("use_sim_time", LaunchConfiguration("use_sim_time")),
                    # This robot tells of thousands of actions at once: memory's queue is deeper.
                    SetParameter(events, 5000),
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(clara),
                        launch_arguments={
                            "memory_path": LaunchConfiguration("memory_path"),
                            "skills": skills,
                        }.items(),
                    ),
                    Node(
                        package="clara_demo",
                        executable="robot_node",
                        name="arm",
                        parameters=[{"autonomous": False, "time_scale": 0.1}],
                        remappings=[
                            (topic, f"clara/{topic}")
                            for topic in ("action_request", "action_event", "action_result")
                        ],
                        output="screen",
                    ),
                ]
            ),
        ]
    )
