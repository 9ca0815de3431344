"""Steadiness: how the test images fared as other files, sizes, framings and exposures."""

from services.bundle.manifest import Manifest
from training.markdown import table
from training.sections.estimates import NOTHING, percent, points, short
from training.steadiness import worst


def steadiness(manifest: Manifest) -> str:
    """What each variant costs."""
    variants = manifest.steadiness
    if not variants:
        return "Not measured."
    rows = [
        (
            variant.title,
            short(variant.accuracy),
            points(variant.change),
            percent(variant.unchanged),
            f"{variant.largest_shift:.3f}",
            NOTHING if variant.refused is None else percent(variant.refused),
        )
        for variant in variants
    ]
    header = ("the same images", "accuracy", "change in points", "same answer", "largest change of a probability")
    most = worst(variants)
    lead = (
        f"What costs most, {points(-most.change)} points: {most.title}."
        if most.change < 0
        else "No variant costs any accuracy."
    )
    return (
        f"Each of {variants[0].images} test images was sent again as other people would send it, and decoded as an "
        f"upload is. {lead}\n\n"
        f"{table((*header, 'refused as foreign'), rows)}\n\n"
        "Accuracy counts images that the detector refuses like the others."
    )
