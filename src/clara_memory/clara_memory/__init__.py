# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Clara's episodic memory: what the robot did, to what, and how it went.

`from clara_memory import EpisodicMemory` needs no ROS; `clara_memory.node` is where ROS comes in.
"""

from clara_memory.episode import Episode, Kind, Outcome, RoleFiller
from clara_memory.errors import FileInUse, InvalidRequest, MemoryFault, NotAMemory, StorageFailed
from clara_memory.forgetting import Bounds, Consolidated
from clara_memory.item_memory import Reading
from clara_memory.memory import EpisodicMemory, Stats
from clara_memory.merging import Merged
from clara_memory.messages import Event, Result
from clara_memory.pairing import PairingSettings
from clara_memory.ranges import RoleRange
from clara_memory.retrieval import (
    Answer,
    Candidate,
    CueMatch,
    EpisodeMatch,
    Query,
    RoleAnswer,
)
from clara_memory.tally import Count, Figures, Tally

__all__ = [
    "Answer",
    "Bounds",
    "Candidate",
    "Consolidated",
    "Count",
    "CueMatch",
    "Episode",
    "EpisodeMatch",
    "EpisodicMemory",
    "Event",
    "Figures",
    "FileInUse",
    "InvalidRequest",
    "Kind",
    "MemoryFault",
    "Merged",
    "NotAMemory",
    "Outcome",
    "PairingSettings",
    "Query",
    "Reading",
    "Result",
    "RoleAnswer",
    "RoleFiller",
    "RoleRange",
    "Stats",
    "StorageFailed",
    "Tally",
]
