# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that clara_training raises on purpose.

Each message is one sentence for people: what was wrong, where, and what to do.
"""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error of another library says, or else its kind."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


# How PyTorch says it where it has no exception of its own: the CPU's allocator, CUDA's runtime,
# its driver (which expandable segments call), its libraries, and what torch.compile wraps.
_NO_MEMORY = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error is the memory's, of a GPU (PyTorch's) or of this machine."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(words in str(error) for words in _NO_MEMORY)
    )


class TrainingError(Exception):
    """Base of all errors of this package."""


class SpecError(TrainingError):
    """The personality file is missing, damaged, or has a value that is not valid."""


class DataError(TrainingError):
    """A file of training data is missing, damaged, empty, or has an entry that is not valid."""


class BaseModelError(TrainingError):
    """The base model is missing, damaged, or lacks something that the stage needs."""


class AdapterError(TrainingError):
    """A LoRA adapter is missing, damaged, or was made for another base model."""


class LoraError(TrainingError):
    """An adapter could not be trained."""


class MergeError(TrainingError):
    """The models or adapters cannot be merged as asked."""


class ExportError(TrainingError):
    """The model cannot be written as GGUF."""


class CorpusError(TrainingError):
    """A corpus is missing, empty, damaged, or too small for what is asked of it."""


class PretrainError(TrainingError):
    """A model cannot be trained from scratch, taken up again, or sampled from."""


class GovernanceError(TrainingError):
    """Governance heads cannot be made, or their file cannot be read."""


class ValidationError(TrainingError):
    """What is to be judged, or what it is judged by, is missing or of no use."""


class BundleError(TrainingError):
    """A bundle of models cannot be made, or is not what it was when it was made."""


class GateFailed(TrainingError):
    """The product was made, but is not as good as it must be."""


class ManifestError(TrainingError):
    """A manifest is damaged, or does not belong to its product."""


class StorageError(TrainingError):
    """A file or folder cannot be written; what was there before is untouched."""


class RunInUse(TrainingError):
    """Another process is at work in the run's folder."""


class ApiError(TrainingError):
    """Anthropic's API refused a request, failed, or gave an answer of no use."""


class UnansweredError(ApiError):
    """Something was sent to Anthropic's API, and nobody knows whether it arrived."""


class UnknownToApiError(ApiError):
    """Anthropic's API says itself that it has no such model or batch; no proxy before it does."""


class BudgetError(ApiError):
    """The work would cost, or has cost, more than the cap allows."""


class MissingPackage(TrainingError):
    """A Python package that the stage needs is not installed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the Python package {package}, which is not installed: run "
            f"python3 tools/set_up.py --training, or pip install -c constraints.txt {package}"
        )
        self.package = package
