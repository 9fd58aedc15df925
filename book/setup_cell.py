# The first code cell of every chapter. WHEEL is stamped when the book is published.
import importlib.util
import subprocess
import sys
from pathlib import Path

WHEEL = ""
spec = importlib.util.find_spec("d2l_lite")
if spec is None or spec.origin is None:  # not there, or a clone of that name and not the package
    here = Path.cwd()
    folders = (here, here / "d2l_lite", *here.parents)
    above = [p for p in folders if (p / "d2l_lite" / "__init__.py").is_file()]
    if above:
        sys.path.insert(0, str(above[0]))
    elif WHEEL:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", WHEEL], check=True)
        importlib.invalidate_caches()
    else:
        raise ModuleNotFoundError(
            "d2l_lite is missing and this notebook bears no address to install it from. Open the "
            "notebook inside a clone of the book, or run `pip install -e .` there."
        )

import torch

import d2l_lite as d2l

torch.manual_seed(0)
d2l.use_style()
