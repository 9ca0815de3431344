"""Foreign images: how they are told, how many of each kind are refused, and what gets through."""

from collections.abc import Iterator

from services.bundle.evaluation import Foreign
from services.bundle.manifest import Manifest
from training.markdown import bullets, table
from training.sections.estimates import percent
from training.sections.use import FOREIGN

_WANTED = 0.95
"""The share of a kind that is not near which a detector should refuse; what is below it is told in words."""


_READ_AS = (
    "Near kinds are so like the model's own that many are expected to get through. The images in the table are none of "
    "those that the detector was shown. The last two columns are of a detector that was shown all other kinds but this "
    "one: what to expect of a kind that nobody thought of. A dash stands where the bundle's own detector was shown "
    "none of the kind either."
)


def foreign(manifest: Manifest) -> str:
    """The detector, its threshold, and what was measured of it."""
    novelty = manifest.novelty
    if novelty is None:
        return "This bundle has no detector of foreign images: whatever is uploaded gets an answer."
    parts = [
        (
            f"The detector looks at {novelty.features} features of the image in two ways: means of inner maps of the "
            "network by their Mahalanobis distance from those of the training images (Lee et al. 2018), and all of "
            "them by a logistic regression between training images and images of other kinds that it was shown "
            "(Hendrycks et al. 2019). The score is that of the way which finds the image stranger. Above "
            f'{novelty.threshold:.4g} the image is foreign, and the answer is then "{FOREIGN}".'
        ),
        (
            f"The threshold lets {percent(novelty.promised)} of the validation images pass, as they are and in other "
            f"shapes. Of the test images {percent(novelty.passed)} pass; the others are refused, though they are of "
            "the kind that the model knows."
        ),
    ]
    if not novelty.foreign:
        return "\n\n".join((*parts, "No foreign images were at hand, so what it refuses was not measured."))
    rows = [
        (
            kind.kind,
            "yes" if kind.near else "no",
            kind.images,
            f"{kind.auroc:.4f}",
            percent(kind.refused),
            *((f"{kind.withheld.auroc:.4f}", percent(kind.withheld.refused)) if kind.withheld else ("-", "-")),
        )
        for kind in novelty.foreign
    ]
    header = (
        "kind",
        "near",
        "images",
        "AUROC against the test images",
        "refused",
        "AUROC, withheld",
        "refused, withheld",
    )
    told = list(_through(novelty.foreign))
    return "\n\n".join(
        (
            *parts,
            _READ_AS,
            table(header, rows),
            *(["What gets through gets an answer as if it were of the right kind:", bullets(told)] if told else []),
        )
    )


def _through(kinds: tuple[Foreign, ...]) -> Iterator[str]:
    for kind in sorted(kinds, key=lambda kind: kind.refused):
        passed = percent(1 - kind.refused)
        if kind.near and kind.refused < 1:
            yield f"{kind.kind}: {passed} get through; do not upload them."
        elif kind.refused < _WANTED:
            yield f"{kind.kind}: {passed} get through, though they are not near."
