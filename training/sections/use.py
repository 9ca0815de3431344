"""Use: what a bundle is for, what its answers mean, what they must not be trusted with, and what nobody has tried."""

from collections.abc import Iterator

from services.bundle.manifest import Import, Manifest
from services.bundle.task import Task
from training.markdown import bullets, listed

FINDING, UNCERTAIN, FOREIGN = "Finding", "Uncertain", "Not this kind of image"
"""What people call the outcomes that programs call finding, uncertain and not_applicable."""


def purpose(manifest: Manifest, task: Task) -> str:
    """What to upload for what, and how to take the answer."""
    if manifest.calibration.activation == "softmax":
        chances = "They sum to one."
    else:
        chances = "Each stands for itself; every label of at least one half is a finding."
    return (
        f"{task.intended_use}\n\n"
        f"Modality: {task.modality}. What to upload: {task.upload}\n\n"
        "How to use it: upload one image and read the answer beside your own judgement of the same image. The answer "
        "is a finding, uncertain, or that this is not the kind of image that the model knows; the section Outcome says "
        f"when. Beside it stands a probability for each label. {chances} The figures below say how often an answer is "
        "wrong, and for which label and source.\n\n"
        f"Out of scope:\n\n{bullets(task.out_of_scope)}"
    )


# ---------------------------------------------------------------- outcome


def outcome(manifest: Manifest, task: Task) -> str:
    """When the answer is a finding, uncertain, or neither."""
    named, open_ = _concluded(manifest, {entry.label: entry.title for entry in task.labels})
    return (
        "Every answer is one of three, in the words of the page and of the JSON:\n\n"
        + bullets(
            (
                f"**{FINDING}** (`finding`): {named}",
                f"**{UNCERTAIN}** (`uncertain`): {open_}",
                f"**{FOREIGN}** (`not_applicable`): {_refused(manifest)}",
            )
        )
        + "\n\nAccuracy and the figures per label count the most probable label, or, where an image may have several, "
        "each of at least one half, whatever the outcome."
    )


def _concluded(manifest: Manifest, titles: dict[str, str]) -> tuple[str, str]:
    if manifest.operating_points:
        low, high = manifest.operating_points[0], manifest.operating_points[-1]
        positive = titles[low.label]
        negative = next(titles[label] for label in manifest.labels if label != low.label)
        return (
            (
                f"{positive}, where its probability is at least the rule-in threshold of {high.threshold:.4g}; "
                f"{negative}, where it is below the rule-out threshold of {low.threshold:.4g}. Whoever asks for one "
                f"operating point gets {positive} from its threshold on and {negative} below it."
            ),
            "the probability lies between these two thresholds, and no operating point was asked for.",
        )
    if manifest.calibration.activation == "sigmoid":
        return "each label of a probability of at least one half.", "no label has a probability of one half."
    if manifest.prediction_sets is None:
        return "the most probable label, however probable.", "never given: this bundle has no means to tell."
    return (
        "the only label of the prediction set.",
        "the prediction set holds several labels; the answer names them.",
    )


def _refused(manifest: Manifest) -> str:
    if manifest.novelty is None:
        return "never given: this bundle has no detector, so any image at all gets one of the other two."
    return (
        "the detector of foreign images refuses the image. No label is given then, but the reason, and which "
        "other tasks take the image for one of theirs."
    )


# ---------------------------------------------------------------- caveats


def warnings(manifest: Manifest) -> Iterator[str]:
    """What the data alone say against the figures, one sentence each."""
    if isinstance(manifest.origin, Import):
        yield (
            "The weights were fitted elsewhere. Nobody here knows to which images, so some of the test images may have "
            "been among them, and every figure of this card may be too high."
        )
    elif manifest.origin.split_by == "image":
        yield "The images came without groups, so near-copies of a training image may stand in the test part."
    lone = [source.source for source in manifest.evaluation.per_source if source.balanced_accuracy is None]
    if lone and manifest.calibration.activation == "softmax":
        yield (
            f"The test images of {listed(lone)} have one label only: there, a right answer may come from recognising "
            "the source."
        )


def untested(manifest: Manifest) -> Iterator[str]:
    """What nobody has tried, one sentence each."""
    sources = f"Images of any other source than {listed([entry.source for entry in manifest.evaluation.per_source])}"
    yield (
        f"{sources}; what to expect of them, the section On sources it never saw tells."
        if manifest.across
        else (f"{sources}.")
    )
    for entry in manifest.evaluation.per_label:
        if not entry.support:
            yield f"Images of {entry.label}: the test part holds none."
    if manifest.novelty is None:
        yield "Images that show none of the labels, or something else altogether."
    elif manifest.novelty.foreign:
        yield "Foreign images of other kinds than those that the section Foreign images lists."
    else:
        yield "Foreign images: whether the detector refuses them was not measured."
    yield "People at work: the figures are of the classifier alone, not of anybody who reads its answers."
    handed = "Images that were made or handed over in another way than those of the test part"
    yield f"{handed}, or changed otherwise than the section Steadiness lists." if manifest.steadiness else f"{handed}."
