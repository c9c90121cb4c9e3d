# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The algebra of hyperdimensional computing: bind, bundle, permute, compare, clean up.

>>> space = Space()
>>> cup, mug = space.symbol("CUP"), space.symbol("MUG")
>>> float(space.similarity(bind(cup, mug), mug)) < 0.05
True
>>> float(space.similarity(unbind(bind(cup, mug), mug), cup))
1.0

`python -m clara_memory.hdc` is a guided tour.
"""

from clara_memory.hdc.codes import Codes, ItemMemory, Space, bind, hamming, unbind
from clara_memory.hdc.encoders import circular, embedding, level, position, sequence, text
from clara_memory.hdc.gist import Gist

__all__ = [
    "Codes",
    "Gist",
    "ItemMemory",
    "Space",
    "bind",
    "circular",
    "embedding",
    "hamming",
    "level",
    "position",
    "sequence",
    "text",
    "unbind",
]
