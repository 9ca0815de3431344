"""The domain's exceptions. Services raise these and never return None for a failure.

SightlineError
├── MalformedRequest            the call itself makes no sense
├── AccessRefused               the caller may not do this
│   └── Unauthenticated         nobody knows who the caller is
├── NotFound
│   ├── UnknownTask
│   ├── UnknownVersion
│   └── UnknownPage
├── MethodNotAllowed
├── TooLarge
│   ├── TooManyBytes
│   ├── TooManyPixels
│   ├── TooManyFrames
│   └── TooManyImages
├── UnsupportedImage            not one of the accepted image types, by content
├── UndecodableImage            of an accepted type, but broken or of a kind that we cannot read faithfully
├── WrongModality               a DICOM file says that it shows something else than the task is about
├── Overloaded                  the queue is full; carries retry_after
├── NotReady                    nothing serves this task yet; carries retry_after
└── BundleRefused               a bundle must not serve; the registry turns it into a quarantine
    ├── TaskInvalid             task.toml
    ├── ManifestInvalid         manifest.json
    ├── WeightsInvalid          model.weights.h5: digest, structure, shapes, values
    ├── CompileFailed           the child process failed, ran out of memory or time
    └── ProbeFailed             the compiled graph does not reproduce the reference logits

The message of every exception is a sentence for the person who caused it: no path of the server, no identity.
"""


class SightlineError(Exception):
    """Root of everything that this product raises on purpose."""


class MalformedRequest(SightlineError):
    """The request cannot be understood."""


class AccessRefused(SightlineError):
    """The caller may not do this."""


class Unauthenticated(AccessRefused):
    """The request carries no valid key."""


class NotFound(SightlineError):
    """The thing asked for does not exist."""


class UnknownTask(NotFound):
    """No task of this name is in the model store."""


class UnknownVersion(NotFound):
    """The task has no loaded bundle of this version."""


class UnknownPage(NotFound):
    """No route answers this path."""


class MethodNotAllowed(SightlineError):
    """The path exists, the method does not."""


class TooLarge(SightlineError):
    """Something exceeds a limit that is checked before work is spent on it."""


class TooManyBytes(TooLarge):
    """The body exceeds the byte limit."""


class TooManyPixels(TooLarge):
    """The header declares more pixels than are decoded here."""


class TooManyFrames(TooLarge):
    """The file holds several frames or pages; one image is one answer."""


class TooManyImages(TooLarge):
    """The request holds more images than one request may."""


class UnsupportedImage(SightlineError):
    """The content is not one of the accepted image types."""


class UndecodableImage(SightlineError):
    """The content is of an accepted type but cannot be decoded faithfully."""


class WrongModality(SightlineError):
    """The file's header names another kind of image or part of the body than the task is about."""


class _TryAgain(SightlineError):
    """A refusal that time may heal.

    Attributes:
        retry_after: seconds after which a new try makes sense.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(_TryAgain):
    """As many predictions are waiting as may wait."""


class NotReady(_TryAgain):
    """No bundle of this task is live."""


class BundleRefused(SightlineError):
    """A bundle that must not serve; the message is the reason on the models page."""


class TaskInvalid(BundleRefused):
    """task.toml is missing, unreadable or not of the expected shape."""


class ManifestInvalid(BundleRefused):
    """manifest.json is missing, unreadable or not of the expected shape."""


class WeightsInvalid(BundleRefused):
    """The weights file is not what the manifest and the architecture say."""


class CompileFailed(BundleRefused):
    """The compiling process failed or exceeded its memory or time."""


class ProbeFailed(BundleRefused):
    """The compiled graph does not give the reference logits."""
