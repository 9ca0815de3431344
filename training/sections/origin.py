"""Origin: the images that a bundle was made of, who measured it on which, and how its weights came about."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from services.bundle.graph import Architecture
from services.bundle.manifest import Import, Manifest, Preprocessing, Training
from training.folders import Sample
from training.markdown import listed, table
from training.split import Split

_PARTS = ("training", "validation", "test")


def data(manifest: Manifest, split: Split | None) -> str:
    """Which images there are, how they are parted, and what each part decides.

    Args:
        manifest: of the bundle.
        split: for the number of images per label and source; None for weights that were fitted elsewhere.
    """
    origin = manifest.origin
    parts = {"validation": origin.validation, "test": origin.test}
    roles = f"Validation fits {listed(_fitted(manifest))}."
    if isinstance(origin, Training):
        parts = {"training": origin.train, **parts}
        roles = f"Training fits the weights. Validation chooses the epoch and fits {listed(_fitted(manifest))}."
    unit = "a group is never split" if origin.split_by == "group" else "no groups were given, so near-copies may leak"
    rows = [(name, part.images, part.groups) for name, part in parts.items()]
    return "\n\n".join(
        (
            f"{origin.data.rstrip('.')}.",
            f"**Licence.** {origin.data_licence}",
            f"Split by {origin.split_by} with seed {origin.seed}: {unit}. {roles} Test is only measured.",
            table(("part", "images", "groups"), rows),
            *([] if split is None else _counts(split)),
            f"Digest of the index: `sha256:{origin.index_sha256}`.",
        )
    )


def _fitted(manifest: Manifest) -> list[str]:
    chosen = {
        "the operating points": bool(manifest.operating_points),
        "the threshold of the prediction sets": manifest.prediction_sets is not None,
        "the threshold of the detector of foreign images": manifest.novelty is not None,
    }
    return ["the temperature", *(what for what, there in chosen.items() if there)]


def _counts(split: Split) -> Iterator[str]:
    parts = [part for _, part in split.parts()]
    labels = [Counter(label for sample in part for label in sample.labels) for part in parts]
    sources = [Counter(sample.source for sample in part) for part in parts]
    yield _tallied("label", labels)
    yield _tallied("source", sources)
    if len(set().union(*sources)) > 1:
        yield "Images of each label in each source, in training / validation / test:"
        yield _crossed(parts)


def _tallied(what: str, parts: Sequence[Counter[str]]) -> str:
    names = sorted(set().union(*parts))
    return table((what, *_PARTS), [(name, *(part[name] for part in parts)) for name in names])


def _crossed(parts: Sequence[Iterable[Sample]]) -> str:
    counts = [Counter((label, sample.source) for sample in part for label in sample.labels) for part in parts]
    pairs = set().union(*counts)
    labels, sources = sorted({label for label, _ in pairs}), sorted({source for _, source in pairs})
    rows = [
        (label, *(" / ".join(str(part[label, source]) for part in counts) for source in sources)) for label in labels
    ]
    return table(("label", *sources), rows)


def validation(manifest: Manifest) -> str:
    """Who has validated the bundle, and on what."""
    origin = manifest.origin
    sources = [source.source for source in manifest.evaluation.per_source]
    return (
        f"Internal and retrospective: once, on {origin.test.images} images in {origin.test.groups} groups of "
        f"{listed(sources)}, after everything had been chosen on {origin.validation.images} other images. The "
        "half-precision weights were measured, as they are served. No other site, and nobody prospectively, has "
        "validated it unless the limits above say so."
    )


def halving(manifest: Manifest) -> str:
    """What the weights' half precision changed."""
    found = manifest.weights.halving
    return (
        f"Weights are kept with 16 bits. On {found.images} validation images this changed "
        f"{found.changed_predictions} predicted labels, and no probability by more than "
        f"{found.largest_probability_change:.5f}."
    )


def making(manifest: Manifest) -> str:
    """Architecture, software and recipe, or the file that the weights came in."""
    origin = manifest.origin
    rows: list[tuple[str, object]] = [
        ("architecture", _architecture(manifest)),
        ("input", _input(manifest.preprocessing)),
    ]
    if isinstance(origin, Import):
        rows += [("imported from", origin.file), ("its digest", f"sha256:{origin.file_sha256}")]
        return table(("", ""), [*rows, ("software", origin.software)])
    rows += [
        ("began from", origin.initial_weights),
        ("epochs", origin.epochs),
        ("time", f"{origin.seconds / 60:.1f} minutes"),
        ("device", origin.device),
        ("software", origin.software),
    ]
    return (
        f"{table(('', ''), rows)}\n\n![Loss and accuracy per epoch](report/training.png)\n\n"
        f"The recipe:\n\n```toml\n{origin.recipe.rstrip()}\n```"
    )


def _input(preprocessing: Preprocessing) -> str:
    told = [f"{preprocessing.width} x {preprocessing.height} pixels"]
    if preprocessing.borders == "trimmed":
        told.append("plain borders cut off")
    if preprocessing.levels == "stretched":
        low, high = preprocessing.window_percentiles
        told.append(f"grey levels stretched from the percentile {low:g} to {high:g}")
    return ", ".join(told)


def _architecture(manifest: Manifest) -> str:
    architecture = manifest.architecture
    if not isinstance(architecture, Architecture):
        return "a list of layers, which manifest.json holds"
    return ", then ".join((architecture.backbone, *(f"{units} units" for units in architecture.hidden)))
