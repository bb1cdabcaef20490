"""Open the notebooks in JupyterLab. `make lab` calls this."""

import os
import sys
from pathlib import Path

from skinlib.base.settings import anchored

os.environ.update(anchored(os.environ))  # kernels run in the folder of their notebook
jupyter = Path(sys.executable).with_name("jupyter")
os.execv(jupyter, [str(jupyter), "lab", str(Path(__file__).parents[1] / "notebooks")])
