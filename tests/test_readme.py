"""What the README shows works as it stands there."""

import re
from pathlib import Path

import matplotlib.image
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The example runs as written, and prints a summary and a comparison."""
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    # Shorter and fewer runs than a reader would make, of the same code.
    code = code.replace('"one service",', '"one service", duration=310,')
    code = code.replace('"greeter.workers", 2)}', '"greeter.workers", 2)}, replications=2')
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "response_time_p99" in printed
    assert "one worker" in printed


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    """No link of the README is dead; addresses on the web are not looked up."""
    assert target.startswith("https://") or (ROOT / target).exists()


def test_the_figure_is_a_picture_of_some_size() -> None:
    """The figure can be read, and is large enough for a screen."""
    height, width = matplotlib.image.imread(ROOT / "docs" / "headline.png").shape[:2]
    assert width >= 1200
    assert height >= 600


def test_every_room_of_the_package_is_on_the_map() -> None:
    """Who looks for a room finds it in the README, and the README names no other."""
    rooms = {path.parent.name for path in (ROOT / "eda_sim").glob("*/__init__.py")}
    assert set(re.findall(r"eda_sim/(\w+)/ ", README)) == rooms


def test_every_make_target_that_the_readme_names_exists() -> None:
    """A command that a reader is told to type is there."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", README)) <= targets
