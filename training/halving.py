"""Half precision: what is published has 16 bits per weight, and what that costs is measured before it is allowed."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.calibration import probabilities
from services.bundle.graph import Description
from services.bundle.manifest import Calibration, Halving, Preprocessing
from training.answers import answer
from training.errors import NotPublishable
from training.images import Images
from training.metrics import decide
from training.temperature import fit_temperature

LARGEST_CHANGE = 0.05
"""The most that halving the weights may change any probability of a validation image."""

MOST_CHANGED = 0.02
"""The largest share of validation images whose predicted label may change: two labels were about as probable there."""


@dataclass(frozen=True, slots=True)
class Half:
    """A classifier as it will be served.

    Attributes:
        model: float32 graph of the input's size, with the halved weights.
        content: the weights file.
    """

    model: Any
    content: bytes
    calibration: Calibration
    halving: Halving


def halve(
    description: Description,
    preprocessing: Preprocessing,
    activation: Literal["softmax", "sigmoid"],
    source: Any,
    validation: Images,
) -> Half:
    """Halve the weights of a classifier, fit its temperature, and measure what halving changed.

    Args:
        description: of the graph.
        preprocessing: whose height and width the graph will have.
        activation: of the logits.
        source: a Keras model whose layers have the weights, by name.
        validation: images that the answers before and after are compared on.

    Raises:
        NotPublishable: it changed more than LARGEST_CHANGE and MOST_CHANGED allow.
        WeightsInvalid: the weights are not finite, or do not fit half precision.
    """
    model = build(description, (preprocessing.height, preprocessing.width), validation.truths.shape[1])
    _copy_by_name(source, model)
    single = answer(model, validation)
    with tempfile.TemporaryDirectory() as folder:
        full, halved = Path(folder) / "full.weights.h5", Path(folder) / "half.weights.h5"
        weights.reserve(full, model, copies=2)
        model.save_weights(full)
        weights.halve(full, halved)
        content = halved.read_bytes()
        # What a reader will refuse is refused here, before anyone reads it.
        weights.require(weights.inspect(content), weights.layout(full))
        model.load_weights(halved)
    half = answer(model, validation)
    calibration = Calibration(temperature=fit_temperature(half, activation), activation=activation)
    halving = cost_of_halving(single.logits, half.logits, calibration)
    _require_cheap(halving)
    return Half(model, content, calibration, halving)


def _copy_by_name(source: Any, target: Any) -> None:
    # The trained graph has open sides and dropout; its layers with weights are the same, by name.
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def cost_of_halving(single: NDArray[np.float64], half: NDArray[np.float64], calibration: Calibration) -> Halving:
    """Compare calibrated answers before and after the weights lost half of their bits.

    Args:
        single: logits [n, labels] by the single-precision weights.
        half: logits [n, labels] of the same images by the halved ones.
        calibration: of the bundle; both are calibrated by it.

    Raises:
        NotPublishable: a logit is not finite.
    """
    if not np.isfinite(single).all() or not np.isfinite(half).all():
        message = "The classifier answers a validation image with NaN or infinite numbers."
        raise NotPublishable(message)
    before, after = (probabilities(logits, calibration) for logits in (single, half))
    first, second = (decide(each, calibration.activation) for each in (before, after))
    return Halving(
        images=len(single),
        changed_predictions=int((first != second).any(axis=1).sum()),
        largest_probability_change=float(np.abs(before - after).max()),
    )


def _require_cheap(halving: Halving) -> None:
    most = MOST_CHANGED * halving.images
    if halving.changed_predictions > most or halving.largest_probability_change > LARGEST_CHANGE:
        message = (
            f"Halving the weights changed {halving.changed_predictions} of {halving.images} validation predictions and "
            f"a probability by up to {halving.largest_probability_change:.4f}; {most:.0f} and {LARGEST_CHANGE} are "
            "allowed."
        )
        raise NotPublishable(message)
