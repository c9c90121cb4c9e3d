# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Clara's episodic memory: what the robot did, to what, and how it went.

`from clara_memory import EpisodicMemory` needs no ROS; `clara_memory.node` is where ROS comes in.
"""

from clara_memory.episode import Episode, Kind, Outcome, RoleFiller
from clara_memory.errors import FileInUse, InvalidRequest, MemoryFault, NotAMemory, StorageFailed
from clara_memory.memory import EpisodicMemory, Stats
from clara_memory.pairing import Event, PairingSettings, Result
from clara_memory.retrieval import Answer, Candidate, EpisodeMatch, Query, RoleAnswer

__all__ = [
    "Answer",
    "Candidate",
    "Episode",
    "EpisodeMatch",
    "EpisodicMemory",
    "Event",
    "FileInUse",
    "InvalidRequest",
    "Kind",
    "MemoryFault",
    "NotAMemory",
    "Outcome",
    "PairingSettings",
    "Query",
    "Result",
    "RoleAnswer",
    "RoleFiller",
    "Stats",
    "StorageFailed",
]
