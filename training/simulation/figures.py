"""Which drawings show which class of a figure in a paper."""

from collections.abc import Mapping, Sequence

from PIL import Image

from training.simulation import (
    animals,
    blots,
    charts,
    codes,
    cytometry,
    diagrams,
    dishes,
    documents,
    electrons,
    figuredrawing,
    fluorescence,
    gels,
    histology,
    labware,
    lightmicroscopy,
    networks,
    patterns,
    plants,
    scenery,
    seeds,
    specimens,
)
from training.simulation.dice import Rng, pick
from training.simulation.montage import Drawing, montage
from training.simulation.reproduction import reproduced

_GLOWING: tuple[Drawing, ...] = (
    fluorescence.stained_nuclei, fluorescence.cultured_cells, fluorescence.epithelium, fluorescence.tissue_section,
    fluorescence.neurons, fluorescence.bacteria,
)  # fmt: skip
_STAINED: tuple[Drawing, ...] = (
    histology.section, histology.section, histology.section, histology.glands, histology.blood, histology.slide,
    histology.smear_of_bacteria,
)  # fmt: skip
_BRIGHT: tuple[Drawing, ...] = (
    lightmicroscopy.phase_contrast, lightmicroscopy.interference_contrast, lightmicroscopy.suspension,
    lightmicroscopy.plant_cells, lightmicroscopy.field_of_view, lightmicroscopy.counting_chamber,
)  # fmt: skip
_ELECTRONS: tuple[Drawing, ...] = (
    electrons.thin_section,
    electrons.thin_section,
    electrons.particles,
    electrons.surface,
)
_ANIMALS: tuple[Drawing, ...] = (
    animals.fish, animals.mouse, animals.worm, animals.insect, specimens.organs, specimens.organs, specimens.slices,
    specimens.skin,
)  # fmt: skip
_PLANTS: tuple[Drawing, ...] = (
    plants.rosette, plants.tray, plants.potted, plants.detached_leaves, plants.seedlings, seeds.seeds, seeds.fruits,
)  # fmt: skip
_DISHES: tuple[Drawing, ...] = (dishes.dish, dishes.dish, dishes.close_up, labware.wells, labware.tubes)

FIGURES: Mapping[str, Sequence[Drawing]] = {
    "Blot_Gel": (
        *(blots.strip,) * 3, *(blots.membrane,) * 3, *(blots.panels,) * 3, *(gels.agarose,) * 5, *(gels.protein,) * 3,
        *(blots.chemiluminescence,) * 2, blots.coloured, blots.dots, blots.spots,
    ),
    "FACS": (
        *(cytometry.bivariate,) * 6, *(cytometry.grid_of_bivariates,) * 3, *(cytometry.histogram,) * 3,
        cytometry.grid_of_histograms,
    ),
    "Macroscopy": (*_ANIMALS * 2, *_PLANTS * 2, *_DISHES * 2, montage(_ANIMALS), montage(_PLANTS), montage(_DISHES)),
    "Microscopy": (
        *_GLOWING, *_STAINED, *_BRIGHT, *_ELECTRONS * 2, montage(_GLOWING), montage(_GLOWING), montage(_STAINED),
        montage(_BRIGHT), montage(_ELECTRONS),
    ),
    "None_of_the_above": (
        *(charts.chart,) * 6, *(charts.scatter,) * 5, *(figuredrawing.figure,) * 4, charts.heat_map, charts.pie,
        *(documents.page,) * 2, *(documents.table,) * 2, *(documents.window,) * 2, documents.equations, codes.alignment,
        codes.bar_code, codes.matrix_code, *(networks.flow_chart,) * 2, networks.pathway, networks.tree, diagrams.venn,
        diagrams.molecule, diagrams.land, patterns.gradient, patterns.polygons, patterns.checks, patterns.icons,
        *(scenery.landscape,) * 3, *(scenery.still_life,) * 2, *(scenery.street,) * 2,
    ),
}  # fmt: skip
"""Drawings by label; one that is named more often is drawn more often."""


def draw(label: str, rng: Rng) -> Image.Image:
    """Draw a picture of one class, as a reader comes to see it.

    Args:
        label: a key of `FIGURES`.
        rng: all that the picture depends on besides.

    Returns:
        A picture in RGB whose longer side has 200 to 420 pixels.
    """
    return reproduced(rng, pick(rng, FIGURES[label])(rng))
