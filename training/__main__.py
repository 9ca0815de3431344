"""The command line of the factory: `python -m training`."""

import typer

from training.commands.cross_validate import cross_validate
from training.commands.draft import draft
from training.commands.evaluate import evaluate
from training.commands.import_ import import_
from training.commands.inspect import inspect
from training.commands.publish import publish
from training.commands.train import train
from training.commands.tune import tune

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def _about() -> None:
    """Train image classifiers on folders of images, and publish them as bundles that the service serves."""


for _name, _command in {
    "inspect": inspect,
    "draft": draft,
    "train": train,
    "publish": publish,
    "tune": tune,
    "cross-validate": cross_validate,
    "evaluate": evaluate,
    "import": import_,
}.items():
    app.command(_name)(_command)

if __name__ == "__main__":
    app()
