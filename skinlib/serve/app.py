"""Serve an exported model as an app in the browser, made with Gradio: one photo in, the answer and its doubt out.

It imports neither TensorFlow nor Keras. Nothing of a photo is kept: the uploaded file is removed as its answer is made
(a stray copy within three minutes), the answer's picture travels inside the answer, and there is no history.
The page asks nobody but this server for anything. Introduced in chapter 6, Deployment.
"""

import html
import inspect
import io
import os
import secrets
from pathlib import Path

from skinlib.base.errors import InputError, SkinlibError
from skinlib.data.reading import PhotoError
from skinlib.serve import address
from skinlib.serve.app_page import CSS, SCRIPT, TITLE, answer_page, first_words, last_words
from skinlib.serve.door import Door, forget
from skinlib.serve.exported import ExportedModel

# Before Gradio is imported, which reads these once.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "50"  # times of the last requests; 10,000 cost memory and time

with address.undisturbed():
    import gradio as gr
    from gradio import route_utils, state_holder
    from starlette.middleware import Middleware

WAITING = 64
"""Photos that may wait for their turn; whoever comes then is told that the queue is full."""
AT_ONCE = 1
"""Photos looked at at a time. The network uses every core by itself, and each photo may hold 150 MB."""
LEFTOVERS = (20, 120)
"""Every how many seconds to look for uploads that nobody asked about, and from what age on they go. Gradio's page sends
a pasted photo twice and asks about one."""
TESTED = "6.31"
"""The version whose private parts, of which two are changed here, this app was tested with."""


def build(model: ExportedModel) -> gr.Blocks:
    """Return the app for a model. It is served by :func:`launch`, which adds the look and the limits on requests."""
    model.session  # noqa: B018  # loads the network, so that a damaged one is told now and the first photo need not wait
    _keep_nothing()

    def ask(path: str) -> tuple:
        """Return the photo's pixels and its answer; the file is gone in any case."""
        try:
            photo = model.read(path)
            return photo, model.answer(photo)
        except PhotoError as error:
            raise gr.Error(_why_not(error), title="Not a photo we can use", print_exception=False) from None
        finally:
            _forget(app, Path(path))

    def show(path: str | None) -> tuple[None, str]:
        if path is None:
            return None, ""
        try:
            return None, answer_page(model, *ask(path))
        except gr.Error as error:
            return None, f'<div class="try"><p class="error" role="alert">{html.escape(error.message)}</p></div>'

    def predict(photo: str | None) -> dict:
        """Say what a photo shows, or "I don't know"."""
        if photo is None:
            raise gr.Error("No photo was sent: send one file.", print_exception=False)
        return ask(photo)[1].as_dict()

    limited = {"concurrency_id": "model", "concurrency_limit": AT_ONCE, "trigger_mode": "multiple"}
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=LEFTOVERS) as app:
        gr.HTML(first_words(model), js_on_load=None)
        upload = _photo()
        gr.HTML(
            '<div class="try"><p class="muted">Your photo goes to this server, which removes it once it has looked '
            "at it, or else within three minutes.</p></div>",
            js_on_load=None,
        )
        answer = gr.HTML(
            "",
            elem_id="answer",
            min_height=60,
            js_on_load="element.setAttribute('aria-live', 'polite')",
            label="Answer",
        )
        gr.HTML(last_words(model), js_on_load=None)
        looking = upload.input(
            show, upload, [upload, answer], api_visibility="private", show_progress_on=answer, **limited
        )
        # The page presses it as soon as another photo is chosen: see SCRIPT.
        gr.Button(elem_id="begin", visible="hidden").click(
            None, None, answer, js="() => ''", cancels=[looking], api_visibility="private"
        )
        # Gradio has no endpoint for files without a component: this one is never drawn.
        gr.Button(visible=False).click(
            predict,
            upload,
            gr.JSON(visible=False, label="answer"),
            api_name="predict",
            api_description=f"{predict.__doc__} {model.labels['notice']}",
            **limited,
        )
    return app.queue(max_size=WAITING, default_concurrency_limit=AT_ONCE)


def launch(
    model: ExportedModel, port: int | str | None = None, host: str | None = None, wait: bool = True, quiet: bool = False
) -> gr.Blocks:
    """Serve a model until interrupted or, without ``wait``, from a thread until ``close()`` of what is returned.

    ``port`` and ``host`` are those of :func:`skinlib.serve.address.choose`: by default this machine alone is served.
    Raises InputError where they can't be had or the model is damaged, and SkinlibError where the installed Gradio is
    one that this app can't keep from keeping photos.
    """
    limit = model.labels["limits"]["bytes"]
    port, host = address.choose(port, host)
    with address.undisturbed():
        app = build(model)
        try:
            app.launch(
                server_name=host,
                server_port=port,
                prevent_thread_lock=True,
                quiet=True,  # its own words would have the reader share the app with the world
                show_error=False,  # what is not a gr.Error tells the log, and nobody else
                share=False,
                inline=False,
                run_history=False,
                enable_monitoring=False,
                mcp_server=False,
                ssr_mode=False,
                pwa=False,
                footer_links=["api"],
                max_file_size=limit,
                state_session_capacity=100,
                max_threads=8,
                theme=gr.themes.Default(
                    primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
                ),
                css=CSS,
                head=SCRIPT,
                app_kwargs={"middleware": [Middleware(Door, limit=limit + 10_000)]},
            )
        except OSError as error:
            if "empty port" not in str(error):
                raise
            raise InputError(f"port {port} was taken by another program just now: start the app again") from None
    if not quiet:
        print(f"the app is at {app.local_url} (Ctrl-C ends it)", flush=True)
    if wait:
        app.block_thread()
    return app


def _photo() -> gr.Image:
    """Return Gradio's image component, which hands on the uploaded file as it is: limits are the model's to check.

    A subclass would be plainer, but Gradio writes a file of type hints beside the module of every subclass.
    """
    photo = gr.Image(
        label="A photo",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False),
        placeholder="Drop a photo here\nor choose one",
        height=220,
        buttons=[],
        elem_id="photo",
    )
    uploads = Path(photo.GRADIO_CACHE).resolve()
    info = photo.api_info() | {"additional_description": "A photo from your machine."}
    example = {"path": "photo.jpg", "url": "photo.jpg", "meta": {"_type": "gradio.FileData"}}

    def preprocess(payload) -> str | None:
        if payload is None:
            return None
        path = Path(payload.path or "").resolve()
        if not payload.path or path.parent.parent != uploads or not path.is_file():
            raise gr.Error("No such upload: send the photo itself.", print_exception=False)
        return str(path)

    async def as_it_is(path) -> str | None:
        """Return the path. Gradio would download what an address names."""
        if str(path).lower().startswith("http"):
            raise gr.Error("An address is not a photo: send the photo itself.", print_exception=False)
        return path

    photo.preprocess, photo.async_move_resource_to_block_cache = preprocess, as_it_is
    # The page about the API would offer to send an address, and show a photo from another site.
    photo.api_info = lambda: info
    photo.example_payload = photo.example_value = lambda: example
    return photo


def _keep_nothing() -> None:
    """Change two habits of Gradio, which has no setting for them. Raises SkinlibError where it has others by now.

    It names an upload by its content, so two people who send the same file would share it, and the first answer would
    remove the second one's. And it holds every shown value in the session's state, to save it on demand.
    """
    upload, state = route_utils.GradioUploadFile, state_holder.SessionState
    if upload.__module__ == __name__:
        return
    steps = [step for step in vars(route_utils.GradioMultiPartParser).values() if inspect.isfunction(step)]
    as_before = (
        hasattr(upload(io.BytesIO()), "sha")
        and any("GradioUploadFile" in step.__code__.co_names for step in steps)
        and list(inspect.signature(getattr(state, "_update_value_in_config", len)).parameters)
        == ["self", "key", "value"]
    )
    if not as_before:
        raise SkinlibError(
            f"Gradio {gr.__version__} can't be kept from keeping photos in the way that this app knows: install "
            f"gradio {TESTED}"
        )

    class Upload(upload):  # type: ignore[valid-type, misc]
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            self.sha.update(secrets.token_bytes(16))

    route_utils.GradioUploadFile = Upload
    state._update_value_in_config = lambda *_: None


def _forget(app: gr.Blocks, file: Path) -> None:
    """Remove an uploaded file, its folder and its name in Gradio's lists."""
    forget(file)
    for names in app.temp_file_sets:
        names.discard(str(file))


def _why_not(error: PhotoError) -> str:
    """Return one line for people: why their file cannot be used, and what to do."""
    # Not the error's own line: it names the file, and that is a place on this server.
    return f"This file cannot be used ({error.reason}): {error.remedy.removeprefix('leave it out, or ')}."
