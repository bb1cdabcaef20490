"""Start the app on the model that lies beside this file. Hugging Face runs this; so does `python app.py`."""

import os
import sys
from pathlib import Path

from skinlib.base.errors import SkinlibError
from skinlib.serve import app
from skinlib.serve.exported import ExportedModel

if __name__ == "__main__":
    if "SPACE_ID" in os.environ:  # a Space is reached from outside; anywhere else only this machine is served
        os.environ.setdefault("GRADIO_SERVER_NAME", "0.0.0.0")
    try:
        app.launch(ExportedModel(Path(__file__).with_name("model")))
    except SkinlibError as error:
        print(f"skinlib: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
