# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that clara_brain raises on purpose.

Each message is one sentence for people: what was wrong, where, and what to do.
"""

_LONGEST = 900


def sentence(text: str) -> str:
    """Return a text as one line for logs and terminals: nothing that it quotes can forge another.

    Control characters are escaped, and what is too long is cut.
    """
    line = text if text.isprintable() else "".join(map(_visible, text))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class BrainError(Exception):
    """Base of all errors of this package."""

    def __init__(self, text: str = "") -> None:
        super().__init__(sentence(text))


class ModelError(BrainError):
    """The model file is missing, damaged, unsupported, or could not be loaded."""


class BackendError(BrainError):
    """The model was loaded, but failed while it worked."""


class InvalidRequest(BrainError):
    """A field of a request is empty, too long, out of range or not well-formed."""


class SchemaMismatch(BrainError):
    """A reply is not what the JSON schema of its request asks for."""


class QueueFull(BrainError):
    """Too many turns are waiting."""


class ContextOverflow(BrainError):
    """Persona and text alone do not fit into the model's context."""


class ShuttingDown(BrainError):
    """The engine takes no more work."""


class SpecError(BrainError):
    """The personality file, or a value for a slider, is not valid."""


class AdapterError(BrainError):
    """A LoRA adapter is missing, damaged, in use, or made for another model."""


class GovernanceError(BrainError):
    """The file of governance heads is missing, damaged, or of another model."""


class SkillFileError(BrainError):
    """The file of skills is not valid."""


class StateTopicError(BrainError):
    """An entry of `state_topics` is not valid."""


class SkillRefused(BrainError):
    """What the model decided did not pass the allow-list, the types or the ranges."""


class StateError(BrainError):
    """The folder for conversations and the KV cache cannot be used."""


class QosError(BrainError):
    """A parameter overrides a topic's QoS with what is no such policy."""


class SessionNotFound(BrainError):
    """No conversation has this name."""


class Unforeseen(BrainError):
    """An error that nobody foresaw; whoever catches it logs its traceback."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"an error that nobody foresaw ({type(error).__name__}: {error}); the log has where"
        )


class ClientError(BrainError):
    """A node was asked from the command line, and did not answer, refused or failed."""
