"""Write ``constraints.txt`` anew: the newest version of every package that the project installs.

One file pins what a laboratory, a test run and CI install, whatever the Python: so it is resolved
on the oldest Python the project supports, whose versions run on the newer ones too. Packages that
only Windows or macOS ask for are looked up for those systems, so that the pins are complete there
as well. Run it by ``make constraints``, then ``make check test`` to see that all of it still works.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "constraints.txt"
OLDEST = (3, 11)

# The build backend, and what it needs for an editable install, are installed too.
BUILD = ["hatchling", "editables"]
# Asked for by ipykernel on macOS; by click, IPython and JupyterLab's terminals on Windows.
ELSEWHERE = {"macosx_11_0_arm64": ["appnope"], "win_amd64": ["colorama", "pywinpty"]}

HEADER = """\
# Exact versions of everything that `pip install -e .[lab,test]` brings, on Python 3.11 to 3.13.
# make and CI install with `-c constraints.txt`; `make constraints` writes this file.
"""


def resolve(*arguments: str) -> dict[str, str]:
    """Versions by name that ``pip install`` with these arguments would choose today."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), *arguments]
        subprocess.run(command, check=True, cwd=ROOT)
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in installs}


def canonical(name: str) -> str:
    """The one spelling of a package's name: ``typing_extensions`` is ``typing-extensions``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolve_elsewhere(platform: str, names: Sequence[str]) -> dict[str, str]:
    """Versions by name for another operating system, without their own dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--target", folder, "--platform", platform, "--only-binary=:all:", "--no-deps"]
        return resolve(*options, *names)


def main() -> None:
    """Resolve everything and write the file."""
    if sys.version_info[:2] != OLDEST:
        sys.exit(f"error: run this on Python {OLDEST[0]}.{OLDEST[1]}, the oldest one supported")
    versions = resolve("-e", ".[lab,test]", *BUILD)
    versions.pop("eda-sim")
    for platform, names in ELSEWHERE.items():
        versions |= resolve_elsewhere(platform, names)
    pins = sorted(f"{name}=={version}" for name, version in versions.items())
    TARGET.write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {len(pins)} packages")


if __name__ == "__main__":
    main()
