"""Commands that carry a run to people who have no Python: export it, serve it."""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.base.files import written_whole
from skinlib.base.fingerprint import key_of
from skinlib.base.settings import load_settings
from skinlib.base.targets import check_folder
from skinlib.commands.options import export_of


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
    export = command("export", _export, "Write a run as one ONNX file, as a page and as an app, ready to publish.")
    export.add_argument("run", metavar="RUN", type=Path)
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to make: model/, web/ and space/"
    )
    export.add_argument("--data", help="the photos it was trained on (default: those that the run names)")
    _add_elsewhere(export)

    app = command("app", _app, "Serve a run, or an exported model, as an app in the browser.")
    app.add_argument("run", metavar="RUN", type=Path, help="a run, or an export: its folder, or its .onnx file")
    app.add_argument(
        "--port", help="0 for any that is free (default: GRADIO_SERVER_PORT, or the first free one from 7860 on)"
    )
    app.add_argument("--data", help="the photos that the run was trained on (default: those that it names)")
    _add_elsewhere(app)


def _add_elsewhere(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--elsewhere",
        metavar="DATA",
        help="photos of the same classes from somewhere else: judge the run on these, too, and say how it did",
    )


def _exported(options):
    """Return the exported model of the run that ``options`` name."""
    from skinlib.data.opening import open_data
    from skinlib.judge.measured import check_clean
    from skinlib.learn.runs import Run
    from skinlib.serve.export import export

    run = Run(options.run)
    provenance = run.provenance
    check_clean(provenance["settings"]["split"], run.predictions, options.run)  # before anything else is looked for
    name, kind = provenance["data"]["name"], provenance["data"]["kind"]
    if options.data is None and (kind == "own" or name not in ("sample", "clinical")):
        raise InputError(f"{options.run} was trained on the folder {name}: name it with --data")
    settings = load_settings(
        data=options.data or name, seed=provenance["seed"], weights=provenance["weights"]["name"]
    )  # fmt: skip
    elsewhere = None if options.elsewhere is None else open_data(replace(settings, data=options.elsewhere))
    return export(run, open_data(settings), settings, elsewhere)


def _export(options) -> None:
    check_folder(options.out)
    work = key_of("export", str(options.run.absolute()), options.data, options.elsewhere)
    with load_settings().store.claimed(options.out, work) as is_there:
        if not is_there:
            _publish(options)
    print(f"{options.out}/model holds the model, {options.out}/web the page and {options.out}/space the app")


def _publish(options) -> None:
    exported = _exported(options)
    from skinlib.serve import publish

    with written_whole(options.out) as draft:
        draft.mkdir()
        publish.model(exported, draft / "model")
        publish.web(exported, draft / "web")
        publish.space(exported, draft / "space")


def _app(options) -> None:
    from skinlib.serve import address
    from skinlib.serve.exported import ExportedModel

    address.choose(options.port)  # told now, before a minute's work
    folder = export_of(options.run)
    if folder and options.elsewhere is not None:
        raise InputError(f"{options.run} is an exported model: judge it elsewhere when you export it, with --elsewhere")
    model = ExportedModel(folder) if folder else _exported(options)
    from skinlib.serve import app

    app.launch(model, port=options.port)
