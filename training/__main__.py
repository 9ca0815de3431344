"""The command line of the factory: `python -m training`."""

import typer

from training.commands.cross_validate import cross_validate
from training.commands.ct import ct
from training.commands.draft import draft
from training.commands.evaluate import evaluate
from training.commands.import_ import import_
from training.commands.inspect import inspect
from training.commands.publish import publish
from training.commands.simulate import simulate
from training.commands.train import train
from training.commands.tune import tune

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def _about() -> None:
    """Train image classifiers on folders of images, and publish them as bundles that the service serves."""


app.command("inspect")(inspect)
app.command("draft")(draft)
app.command("ct")(ct)
app.command("train")(train)
app.command("publish")(publish)
app.command("tune")(tune)
app.command("cross-validate")(cross_validate)
app.command("evaluate")(evaluate)
app.command("import")(import_)
app.command("simulate")(simulate)

if __name__ == "__main__":
    app()
