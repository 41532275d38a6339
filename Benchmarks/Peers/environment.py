"""The virtual environment beside this file: made where it is missing, then everything runs in it."""

import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.join(FOLDER, ".venv", "bin", "python")
REQUIREMENTS = os.path.join(FOLDER, "requirements.txt")


def enter() -> None:
    """Goes on in the environment, with its packages as pinned; does nothing when it is there already."""
    if os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(FOLDER, ".venv")):
        return
    stamp = os.path.join(FOLDER, ".venv", "installed")
    with open(REQUIREMENTS) as file:
        wanted = file.read()
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        print("installing what requirements.txt names; compiling ggml for this CPU takes a while", flush=True)
        subprocess.run([sys.executable, "-m", "venv", os.path.join(FOLDER, ".venv")], check=True)
        # Tries little: where an index cannot be reached, what it has may be found elsewhere.
        settings = {"PIP_RETRIES": "1"} | os.environ | {"CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"}
        subprocess.run(
            [PYTHON, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True, env=settings)
        with open(stamp, "w") as file:
            file.write(wanted)
    os.execv(PYTHON, [PYTHON, *sys.argv])
