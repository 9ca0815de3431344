"""Drafts: from a folder's names and sizes to files that can be trained with, and that say that nobody has read them."""

import shutil
from pathlib import Path

import pytest

from services.bundle.task import parse_task
from services.errors import TaskInvalid
from tests.bundles import draw, encode
from tests.training.conftest import draw_images, little_room
from training.drafting import UNREVIEWED, draft_recipe, draft_task, require_room, write_drafts
from training.errors import ImagesInvalid, RecipeInvalid, ResultsTaken
from training.folders import SEPARATOR, Folder, read_folder
from training.glance import Glance
from training.recipe import parse_recipe

PLAIN = Glance(edge=48, grey=False)


@pytest.fixture
def folder(images: Path) -> Folder:
    return read_folder(images)


# ---------------------------------------------------------------- the task


def test_a_task_names_the_labels_and_says_that_nobody_has_reviewed_it(folder: Folder) -> None:
    text = draft_task("small-shapes", folder, PLAIN)
    task = parse_task(text.encode(), "small-shapes")
    assert [entry.label for entry in task.labels] == ["disc", "square", "stripes"]
    assert (task.title, task.labels[0].title, task.serve) == ("Small shapes", "Disc", "latest")
    assert task.intended_use == UNREVIEWED
    assert task.picture == "an image of the task small-shapes"
    assert (task.positive, task.dicom.modalities, task.dicom.body_parts) == ("", (), ())
    assert "nobody has reviewed" in task.warning
    assert all("nobody has reviewed" in entry.explanation for entry in task.labels)
    assert text.startswith(f"# {UNREVIEWED}\n")


@pytest.mark.parametrize(
    "label", ['a "quoted" one', "back\\slash", "gri\u00df", "\U0001f48a pill", "__", "tab\tbed", "\x7f"]
)
def test_any_folder_s_name_may_be_a_label(label: str, tmp_path: Path) -> None:
    for name in (label, "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(encode(draw(0)))
    task = parse_task(draft_task("pills", read_folder(tmp_path), PLAIN).encode(), "pills")
    assert sorted(entry.label for entry in task.labels) == sorted((label, "other"))
    assert all(entry.title for entry in task.labels)


def test_a_task_takes_the_dicom_files_that_were_seen(folder: Folder) -> None:
    seen = Glance(edge=512, grey=True, modalities=("CT", "MR"), body_parts=("HEAD",))
    task = parse_task(draft_task("heads", folder, seen).encode(), "heads")
    assert (task.dicom.modalities, task.dicom.body_parts) == (("CT", "MR"), ("HEAD",))


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (("normal", "pneumonia"), "pneumonia"),
        (("bleed", "no_bleed"), "bleed"),
        (("Negative", "Positive"), "Positive"),
        (("Healthy lungs", "TB"), "TB"),
        (("no", "yes"), "yes"),
        (("nodule", "normality"), ""),
        (("healthy", "normal"), ""),
        (("glioma", "meningioma", "normal"), ""),
    ],
)
def test_of_two_labels_the_one_beside_nothing_is_the_finding(
    labels: tuple[str, ...], positive: str, tmp_path: Path
) -> None:
    images = read_folder(draw_images(tmp_path / "images", labels=labels, each=1, index=False))
    assert parse_task(draft_task("task", images, PLAIN).encode(), "task").positive == positive


def test_of_images_with_several_labels_none_is_the_finding(tmp_path: Path) -> None:
    images = draw_images(tmp_path / "images", labels=("normal", "scar"), each=2)
    index = (images / "index.csv").read_text()
    (images / "index.csv").write_text(index.replace("scar/000.png,scar,", f"scar/000.png,{SEPARATOR},"))
    assert parse_task(draft_task("task", read_folder(images), PLAIN).encode(), "task").positive == ""


def test_what_somebody_could_say_more_of_stands_instead(folder: Folder) -> None:
    text = draft_task("shapes", folder, PLAIN, {"picture": "a drawing", "modality": "Drawing"})
    task = parse_task(text.encode(), "shapes")
    assert (task.picture, task.modality, task.title) == ("a drawing", "Drawing", "Shapes")
    # A person who goes over it is told what the word is for.
    assert 'picture = "a drawing" # What its images are' in text


@pytest.mark.parametrize("name", ["", "Big", "../away", "a b", "x" * 65])
def test_a_name_that_no_task_can_have_is_refused(name: str, folder: Folder) -> None:
    with pytest.raises(TaskInvalid, match="name"):
        draft_task(name, folder, PLAIN)


# ---------------------------------------------------------------- the recipe


@pytest.mark.parametrize(
    ("backbone", "edge", "whole", "view"),
    [
        ("efficientnet_lite0", 3000, 256, 224),
        ("efficientnet_lite0", 200, 192, 168),
        ("efficientnet_lite0", 48, 64, 56),
        ("inception_resnet_v2", 48, 96, 84),
        ("convnet", 48, 64, 56),
    ],
)
def test_the_input_is_as_large_as_the_images_need(
    backbone: str, edge: int, whole: int, view: int, folder: Folder
) -> None:
    recipe = parse_recipe(draft_recipe("shapes", folder, Glance(edge, grey=False), backbone), "The draft")
    assert (recipe.preprocessing.height, recipe.preprocessing.width, recipe.augmentation.view) == (whole, whole, view)


def test_a_backbone_without_weights_is_trained_from_scratch(folder: Folder) -> None:
    scratch = parse_recipe(draft_recipe("shapes", folder, Glance(48, grey=True), "convnet"), "The draft")
    assert (scratch.initial_weights, scratch.head, scratch.preprocessing.colour) == ("random", None, "grey")
    tuned = parse_recipe(draft_recipe("shapes", folder, Glance(48, grey=False), "mobilenet_v2"), "The draft")
    assert (tuned.initial_weights, tuned.architecture.filters, tuned.preprocessing.colour) == ("imagenet", (), "rgb")
    assert list(tuned.phases()) == ["head", "fine_tuning"]


def test_the_window_is_told_of_where_there_are_dicom_files(folder: Folder) -> None:
    seen = Glance(edge=512, grey=True, modalities=("CT",))
    text = draft_recipe("heads", folder, seen, "convnet")
    assert "With window = [centre, width]" in text
    assert parse_recipe(text, "").preprocessing.window is None
    assert "window = [centre" not in draft_recipe("heads", folder, PLAIN, "convnet")


def test_rare_labels_are_weighed(images: Path) -> None:
    even = read_folder(images)
    assert parse_recipe(draft_recipe("s", even, Glance(48, grey=False), "convnet"), "").material.balance == "none"
    shutil.rmtree(images)
    draw_images(images, labels=("disc", "square"), index=False)
    for number in range(7):
        (images / "disc" / f"{number:03}.png").unlink()
    rare = read_folder(images)
    assert (
        parse_recipe(draft_recipe("s", rare, Glance(48, grey=False), "convnet"), "").material.balance == "class_weights"
    )


def test_several_labels_per_image_need_a_sigmoid(images: Path) -> None:
    index = (images / "index.csv").read_text()
    both = SEPARATOR.join(("disc", "square"))
    (images / "index.csv").write_text(index.replace("disc/000.png,disc,", f"disc/000.png,{both},"))
    recipe = parse_recipe(draft_recipe("s", read_folder(images), Glance(48, grey=False), "convnet"), "")
    assert (recipe.activation, recipe.monitor) == ("sigmoid", "val_loss")


def test_a_folder_without_groups_is_warned_of(tmp_path: Path, folder: Folder) -> None:
    ungrouped = read_folder(draw_images(tmp_path / 'my "images"', index=False))
    text = draft_recipe("shapes", ungrouped, Glance(48, grey=False), "convnet")
    assert "# Each image counts as a group of its own." in text
    assert parse_recipe(text, "").material.name == 'my "images"'
    assert "group of its own" not in draft_recipe("shapes", folder, Glance(48, grey=False), "convnet")


def test_what_could_not_be_trained_is_refused(tmp_path: Path, folder: Folder) -> None:
    with pytest.raises(RecipeInvalid, match="'transformer' is no backbone; there are convnet, "):
        draft_recipe("shapes", folder, Glance(48, grey=False), "transformer")
    few = read_folder(draw_images(tmp_path / "few", each=4))
    with pytest.raises(ImagesInvalid, match="too few groups"):
        draft_recipe("shapes", few, Glance(48, grey=False), "convnet")


# ---------------------------------------------------------------- the files


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("of a person")
    with pytest.raises(ResultsTaken, match="second is there already; a draft overwrites nothing"):
        write_drafts([(tmp_path / "task" / "first", "new"), (tmp_path / "second", "new")])
    assert [path.name for path in tmp_path.iterdir()] == ["second"]
    assert (tmp_path / "second").read_text() == "of a person"


def test_either_all_is_written_or_nothing(tmp_path: Path) -> None:
    drafts = [(tmp_path / "task" / "first", "x"), (tmp_path / "second", "x" * 100)]
    with little_room(10), pytest.raises(OSError, match="File too large"):
        write_drafts(drafts)
    assert not list(tmp_path.iterdir())
    write_drafts(drafts)
    assert (tmp_path / "task" / "first").read_text() == "x"


def test_the_folders_must_be_there(tmp_path: Path) -> None:
    require_room(tmp_path, tmp_path)
    for folders in ((tmp_path / "no", tmp_path), (tmp_path, tmp_path / "no")):
        with pytest.raises(NotADirectoryError, match="there is no such folder"):
            require_room(*folders)
