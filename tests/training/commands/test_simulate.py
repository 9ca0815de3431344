"""`simulate`: what a person at a terminal gets for it."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.training.commands.terminal import complaint
from tests.training.conftest import draw_images
from training.__main__ import app
from training.folders import read_folder
from training.simulation.figures import FIGURES


def simulate(*words: str | Path) -> Result:
    arguments = ["simulate", *(str(word) for word in words)]
    return CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "200"})


def test_it_draws_each_class(tmp_path: Path) -> None:
    result = simulate("figures", "--out", tmp_path / "drawn", "--count", "10", "--seed", "2")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"Wrote {tmp_path / 'drawn'}: 10 drawn pictures\n"
    folder = read_folder(tmp_path / "drawn")
    assert folder.labels == tuple(FIGURES)
    for sample in folder.samples:
        with Image.open(folder.root / sample.path) as image:
            assert 200 <= max(image.size) <= 420


def test_it_says_what_lies_beside(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", tuple(FIGURES), 2)
    result = simulate("figures", "--beside", real, "--out", tmp_path / "wide", "--count", "5")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"Wrote {tmp_path / 'wide'}: 5 drawn pictures and the images of {real}\n"
    assert len(read_folder(tmp_path / "wide").samples) == 15


def test_it_takes_in_pictures_that_were_found(tmp_path: Path) -> None:
    charts = tmp_path / "charts"
    charts.mkdir()
    for number in range(3):
        Image.new("RGB", (300, 200), (90 * number, 80, 70)).save(charts / f"{number}.png")
    words = ("figures", "--out", tmp_path / "wide", "--count", "5", "--found", f"None_of_the_above={charts}")
    result = simulate(*words, "--views", "2")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"Wrote {tmp_path / 'wide'}: 5 drawn pictures and views of {charts}\n"
    assert [sample.source for sample in read_folder(tmp_path / "wide").samples][5:] == ["found:charts"] * 2


@pytest.mark.parametrize("found", ["charts", "None_of_the_above=", "None_of_the_above=nowhere"])
def test_a_found_folder_needs_a_label_and_must_be_there(tmp_path: Path, found: str) -> None:
    result = simulate("figures", "--out", tmp_path / "wide", "--count", "5", "--found", found)
    assert "takes a label and a folder that is there" in complaint(result)
    assert not (tmp_path / "wide").exists()


def test_a_complaint_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    assert "is there already" in complaint(simulate("figures", "--out", tmp_path / "taken", "--count", "5"))
    assert "is not a folder" in complaint(
        simulate("figures", "--beside", tmp_path / "none", "--out", tmp_path / "wide")
    )


@pytest.mark.parametrize("words", [("drugs",), ("figures", "--count", "0"), ("figures", "--seed", "-1")])
def test_what_cannot_be_drawn_is_a_mistyped_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = simulate(*words, "--out", tmp_path / "drawn")
    assert result.exit_code == 2
    assert not (tmp_path / "drawn").exists()
