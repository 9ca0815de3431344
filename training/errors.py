"""What can go wrong in the factory, each with a sentence for the person at the terminal.

SightlineError
└── TrainingError
    ├── RecipeInvalid       the recipe
    ├── ImagesInvalid       the folder of images
    ├── WeightsUnavailable  the pretrained weights
    ├── RunMismatch         the run folder belongs to another training, or to none
    ├── RunBusy             another process works in the run folder
    ├── TrainingDiverged    no epoch gave a checkpoint
    ├── LegacyInvalid       the legacy file to import
    ├── NothingToMeasure    no image is left to measure a bundle on
    ├── NotComparable       bundles that do not answer the same question
    ├── ResultsTaken        the folder for results holds something
    └── NotPublishable      what was trained must not become a bundle
"""

from services.errors import SightlineError


class TrainingError(SightlineError):
    """Root of what training raises on purpose."""


class RecipeInvalid(TrainingError):
    """The recipe cannot be read or makes no sense."""


class ImagesInvalid(TrainingError):
    """The folder of images cannot be trained on."""


class WeightsUnavailable(TrainingError):
    """The pretrained weights are not at hand; the message says which file to fetch."""


class RunMismatch(TrainingError):
    """The run folder holds something other than an earlier part of this very training."""


class RunBusy(TrainingError):
    """Another process works in the run folder."""


class TrainingDiverged(TrainingError):
    """The loss is no longer a number, so there is no checkpoint to go on with."""


class LegacyInvalid(TrainingError):
    """The legacy model file cannot be taken over as data, or not as it was asked for."""


class NothingToMeasure(TrainingError):
    """The bundle has seen every image that it might be measured on."""


class NotComparable(TrainingError):
    """Bundles of a task that do not answer in the same way."""


class ResultsTaken(TrainingError):
    """Results would overwrite something."""


class NotPublishable(TrainingError):
    """What was trained must not become a bundle; the message says what was measured."""
