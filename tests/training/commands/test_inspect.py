"""`inspect`: tables, a report and plots, and one sentence for what is wrong."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from tests.bundles import encode
from tests.training.conftest import little_room
from tests.training.pictures import paint
from tests.training.test_inspection import write
from training.commands.inspect import inspect
from training.folders import read_folder
from training.split import Split, write_split

PROJECT = Path(__file__).resolve().parents[3]
FILES = {f"{label}/{n}.png": (label, f"{label}{n // 2}", f"s{n % 2}") for label in "ab" for n in range(6)}

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
app.command()(inspect)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Six painted images of each of two classes, two to a group, from two sources."""
    return write(tmp_path / "images", FILES)


def command(*words: object) -> Result:
    return CliRunner().invoke(
        app, [str(word) for word in words], catch_exceptions=False, env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    )


def succeeded(*words: object) -> str:
    result = command(*words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def complaint(result: Result) -> str:
    """What the person at the terminal reads, after checking that it is one sentence and no traceback."""
    assert result.exit_code == 1
    progress = ("Reading", "Comparing")
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith(progress)]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip()[1:-1].replace("┃", "│").split("│")]


def table(shown: str, title: str) -> list[list[str]]:
    """The rows below a title."""
    lines = shown.splitlines()
    below = lines[next(at for at, line in enumerate(lines) if line.strip() == title) + 1 :]
    end = next(at for at, line in enumerate(below) if line.startswith("└"))
    return [cells(line) for line in below[:end] if line.startswith(("│", "┃"))]


def report(*words: object) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(succeeded(*words, "--json"))
    return content


# ---------------------------------------------------------------- what is shown


def test_tables_say_what_is_there(images: Path) -> None:
    shown = succeeded(images)
    assert [row[:4] for row in table(shown, "Classes")] == [
        ["label", "images", "groups", "sources"],
        ["a", "6", "3", "2"],
        ["b", "6", "3", "2"],
        ["all", "12", "6", "2"],
    ]
    assert table(shown, "Sources")[1:] == [["s0", "6", "2"], ["s1", "6", "2"]]
    assert table(shown, "How they are stored")[1:] == [
        ["image/png, colour, 8 bits", "12", "", "", ""],
        ["width", "", "120", "120", "120"],
        ["height", "", "90", "90", "90"],
        ["aspect ratio", "", "1.33", "1.33", "1.33"],
    ]
    assert "Copies" not in shown
    assert "Refused files" not in shown
    assert "Warning 1: Fewer than 30 images say little about a class: a (6), b (6)." in shown.splitlines()


def test_a_folder_without_fault_is_told(tmp_path: Path) -> None:
    files = {f"{label}/{n}.webp": (label, f"{label}{n}", "s") for label in "ab" for n in range(30)}
    for number, path in enumerate(files):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(encode(paint(number), "WEBP"))
    shown = succeeded(write(tmp_path, files))
    assert shown.splitlines()[-1] == "Nothing to warn of."
    assert "Warning" not in shown
    assert "Sources" not in shown


def test_copies_and_refused_files_are_shown(images: Path) -> None:
    shutil.copy(images / "a/0.png", images / "b/0.png")
    Image.open(images / "b/2.png").save(images / "b/3.png", format="JPEG", quality=50)
    (images / "a/5.png").write_bytes(encode(paint(1))[:300])
    result = command(images)
    assert result.exit_code == 0
    assert table(result.stdout, "Copies") == [
        ["", "clusters", "images", "across labels", "across groups"],
        ["same file", "1", "2", "1", "1"],
        ["near copies", "1", "2", "0", "0"],
    ]
    assert table(result.stdout, "Refused files")[1:] == [
        ["a/5.png", "The PNG file is damaged or incomplete and cannot be decoded."]
    ]
    assert "2 images have copies with another label, as a/0.png and b/0.png." in result.stdout
    assert "1 file cannot be used, and training would stop there, as a/5.png: The PNG file is" in result.stdout
    assert "Reading 12 images" in result.stderr


def test_copies_across_the_parts_of_a_split_are_shown_first(images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "a/0.png", images / "a/5.png")
    samples = read_folder(images).samples
    parts = [tuple(sample for sample in samples if sample.group[1] == number) for number in "012"]
    write_split(tmp_path / "split.csv", Split(*parts))
    shown = succeeded(images, "--split", tmp_path / "split.csv")
    assert table(shown, "Copies") == [
        ["", "clusters", "images", "across labels", "across groups", "across parts"],
        ["same file", "1", "2", "0", "1", "1"],
    ]
    assert "Warning 1: 2 images have copies in another part of the split, as a/0.png and a/5.png." in shown


def test_groups_can_be_named_by_a_pattern(images: Path) -> None:
    (images / "index.csv").unlink()
    shutil.copy(images / "a/0.png", images / "a/1.png")
    alone = succeeded(images)
    assert "Nobody said which images belong together, so each is split off alone: 2 images have copies" in alone
    assert table(alone, "Copies")[0] == ["", "clusters", "images", "across labels"]
    named = succeeded(images, "--group-pattern", r"^(\w)/")
    assert "Nobody said" not in named
    assert table(named, "Classes")[-1][:3] == ["all", "12", "2"]
    assert table(named, "Copies")[1] == ["same file", "1", "2", "0", "0"]


def test_biofors_mapping_is_read(images: Path) -> None:
    (images / "index.csv").unlink()
    mapping = {path: label.upper() for path, (label, *_) in FILES.items()}
    (images / "classification.json").write_text(json.dumps(mapping))
    assert [row[0] for row in table(succeeded(images), "Classes")[1:]] == ["A", "B", "all"]


def test_many_classes_are_cut(tmp_path: Path) -> None:
    files = {f"class {n:02}.png": (f"class {n:02}", str(n), f"s{n}") for n in range(45)}
    shown = succeeded(write(tmp_path, files))
    assert len(table(shown, "Classes")) == len(table(shown, "Sources")) + 1 == 1 + 40 + 1
    assert shown.count("5 more are in report.json") == 2


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    files = {f"{n}.png": ("[bold]a" if n % 2 else "b$^$", str(n), "s") for n in range(6)}
    shown = succeeded(write(tmp_path / "[red]", files), "--out", tmp_path / "out")
    assert [row[0] for row in table(shown, "Classes")[1:3]] == ["[bold]a", "b$^$"]
    assert f"Wrote {tmp_path / 'out'}" in shown.splitlines()


# ---------------------------------------------------------------- report.json and plots


def test_the_report_holds_what_was_found(images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "a/0.png", images / "b/0.png")
    (images / "a/5.png").write_bytes(b"")
    content = report(images, "--out", tmp_path / "out")
    assert content == json.loads((tmp_path / "out" / "report.json").read_text())
    assert (content["folder"], content["images"], content["grouped"]) == (str(images), 12, True)
    assert content["sha256"] == read_folder(images).sha256
    first = content["classes"][0]
    assert (first["label"], first["images"], first["groups"], first["sources"]) == ("a", 6, 3, {"s0": 3, "s1": 3})
    assert sorted(first["colours"]) == ["blue", "green", "red"]
    assert len(first["colours"]["red"]["histogram"]) == 256
    assert content["kinds"] == [{"media_type": "image/png", "colour": "colour", "bits": "8", "images": 11}]
    assert content["sizes"]["width"] == {"least": 120, "median": 120, "most": 120}
    assert content["refused"] == [{"path": "a/5.png", "reason": "The file is empty."}]
    assert content["copies"] == [
        {
            "kind": "same file",
            "across": ["labels", "group"],
            "images": [
                {"path": "a/0.png", "labels": ["a"], "group": "a0", "source": "s0", "part": None},
                {"path": "b/0.png", "labels": ["b"], "group": "b0", "source": "s0", "part": None},
            ],
        }
    ]
    assert [warning["about"] for warning in content["warnings"]] == [
        "conflicting labels",
        "torn groups",
        "refused files",
        "tiny classes",
        "copies",
    ]


def test_plots_are_written_beside_the_report(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    assert f"Wrote {out}" in succeeded(images, "--out", out)
    assert sorted(path.name for path in out.iterdir()) == ["classes.png", "colours.png", "report.json", "sizes.png"]
    for path in out.glob("*.png"):
        assert Image.open(io.BytesIO(path.read_bytes())).format == "PNG"


def test_nothing_is_written_without_being_asked(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    succeeded(images)
    assert sorted(tmp_path.rglob("*")) == before


# ---------------------------------------------------------------- complaints


def test_a_wrong_path_is_told(images: Path, tmp_path: Path) -> None:
    assert complaint(command(tmp_path / "nowhere")).endswith("nowhere is not a folder.")
    assert "nowhere.csv" in complaint(command(images, "--split", tmp_path / "nowhere.csv"))


def test_one_class_none_and_an_empty_one_are_told(images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds 0 classes" in complaint(command(tmp_path / "empty"))
    (images / "index.csv").unlink()
    (images / "c").mkdir()
    assert "c holds no image" in complaint(command(images))
    (images / "c").rmdir()
    shutil.rmtree(images / "b")
    assert "holds 1 class" in complaint(command(images))


def test_a_folder_of_nothing_but_damage_is_told(images: Path) -> None:
    for path in FILES:
        (images / path).write_bytes(b"\x89PNG\r\n\x1a\n torn")
    assert "Not one image of" in complaint(command(images))


def test_a_pattern_that_is_none_is_told(images: Path) -> None:
    (images / "index.csv").unlink()
    assert "is not a regular expression" in complaint(command(images, "--group-pattern", "("))


def test_a_place_that_is_taken_is_told_before_the_work(images: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    result = command(images, "--out", taken)
    assert "taken is not an empty folder" in complaint(result)
    assert "Reading" not in result.stderr
    assert [path.name for path in taken.iterdir()] == ["mine.txt"]


def test_a_place_among_the_images_is_told(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(images.rglob("*"))
    assert "would lie among the images" in complaint(command(images, "--out", images / "report"))
    monkeypatch.chdir(images)
    assert "would lie among the images" in complaint(command(images, "--out", "report"))
    assert sorted(images.rglob("*")) == before


def test_a_full_disk_is_told_and_leaves_nothing(images: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with little_room(2**12):
        result = command(images, "--out", tmp_path / "out")
    assert complaint(result).endswith("out: File too large")
    assert sorted(tmp_path.iterdir()) == before


# ---------------------------------------------------------------- help


def test_help_gives_an_example() -> None:
    assert "python -m training inspect DIR --out report" in succeeded("--help")


def test_no_framework_is_loaded(images: Path, tmp_path: Path) -> None:
    code = (
        "import sys, typer\n"
        "from training.commands.inspect import inspect\n"
        "before = 'matplotlib' in sys.modules\n"
        "app = typer.Typer()\n"
        "app.command()(inspect)\n"
        f"try:\n    app([{str(images)!r}, '--out', {str(tmp_path / 'out')!r}])\n"
        "finally:\n    print('LOADED', before, [n for n in ('keras', 'tensorflow', 'torch') if n in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert "LOADED False []" in shown.stdout
