"""The structure as docs/architecture.md draws it: every room is listed, imports point down, nothing goes in circles."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
OUTSIDE = {"bench", "dags", "tests", "tools", "clusterbridge"}


def rooms() -> list[str]:
    """The rooms of the page, from the ground up."""
    part = PAGE.read_text("utf-8").split("## Rooms", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted((ROOT / "etl").rglob("*.py"))}


def imports_of(module: str) -> set[str]:
    """The modules of ours that one imports, wherever in it the import stands; and those outside that it must not."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in members if name in MODULES} or {node.module}
    return {name for name in found if name in MODULES or name.split(".")[0] in OUTSIDE}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "etl"


def test_every_room_is_on_the_page_and_every_room_of_the_page_is_there() -> None:
    there = {room_of(module) for module in MODULES} - {"etl"}
    assert sorted(rooms()) == sorted(there)


def test_imports_point_down_the_list_of_the_page() -> None:
    floor = {room: number for number, room in enumerate(rooms())} | {"etl": -1}
    up = [
        f"{module} imports {other}"
        for module in MODULES
        for other in sorted(imports_of(module))
        if other.split(".")[0] in OUTSIDE
        or (room_of(other) != room_of(module) and floor[room_of(other)] > floor[room_of(module)])
    ]
    assert not up


def test_no_module_imports_itself_over_others() -> None:
    # A package's face gathers its modules; what imports a member by the package's name does not go through it.
    graph = {module: imports_of(module) - {module} for module in MODULES if MODULES[module].name != "__init__.py"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle: {' -> '.join(error.args[1])}") from error


def test_no_module_is_longer_than_400_lines() -> None:
    folders = (ROOT / name for name in ("etl", "bench", "dags", "tools", "tests"))
    files = [path for folder in folders for path in folder.rglob("*.py")]
    long = {path.name: count for path in files if (count := len(path.read_text("utf-8").splitlines())) > 400}
    assert not long
