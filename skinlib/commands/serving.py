"""Commands that carry a run to people who have no Python: export it, serve it."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.base.files import written_whole
from skinlib.base.settings import load_settings
from skinlib.commands.options import export_of


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
    export = command("export", _export, "Write a run as one ONNX file, as a page and as an app, ready to publish.")
    export.add_argument("run", metavar="RUN", type=Path)
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to make: model/, web/ and space/"
    )
    export.add_argument("--data", help="the photos it was trained on (default: those that the run names)")

    app = command("app", _app, "Serve a run, or an exported model, as an app in the browser.")
    app.add_argument("run", metavar="RUN", type=Path, help="a run, or an export: its folder, or its .onnx file")
    app.add_argument("--port", type=int, default=7860, help="(default: 7860)")
    app.add_argument("--data", help="the photos that the run was trained on (default: those that it names)")


def _exported(options):
    """Return the exported model of the run that ``options`` name."""
    from skinlib.data.opening import open_data
    from skinlib.learn.runs import Run
    from skinlib.serve.export import export

    run = Run(options.run)
    provenance = run.provenance
    name, kind = provenance["data"]["name"], provenance["data"]["kind"]
    if options.data is None and (kind == "own" or name not in ("sample", "clinical")):
        raise InputError(f"{options.run} was trained on the folder {name}: name it with --data")
    settings = load_settings(
        data=options.data or name, seed=provenance["seed"], weights=provenance["weights"]["name"]
    )  # fmt: skip
    return export(run, open_data(settings), settings)


def _export(options) -> None:
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise InputError(f"{options.out} exists already: choose another folder, or remove it")
    exported = _exported(options)
    from skinlib.serve import publish

    with written_whole(options.out) as draft:
        draft.mkdir()
        publish.model(exported, draft / "model")
        publish.web(exported, draft / "web")
        publish.space(exported, draft / "space")
    print(f"{options.out}/model holds the model, {options.out}/web the page and {options.out}/space the app")


def _app(options) -> None:
    from skinlib.serve import app
    from skinlib.serve.exported import ExportedModel

    folder = export_of(options.run)
    app.launch(ExportedModel(folder) if folder else _exported(options), port=options.port)
