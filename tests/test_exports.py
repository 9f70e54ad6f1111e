"""What the packages offer: names that are there, errors one can catch, and imports that stay light."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from pose.errors import StanceError

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pose", "index", "stream")
HEAVY = ("torch", "faiss", "cv2", "av", "openvino", "pydantic", "safetensors")


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_by_name_is_what_it_offers(package: str) -> None:
    """From the source: also what is imported for type checkers only, and arrives when somebody asks."""
    module = import_module(package)
    nodes = ast.walk(ast.parse(inspect.getsource(module).partition("__all__")[0]))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGES)]
    assert sorted(alias.name for node in imports for alias in node.names) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


def errors_of(module: ModuleType) -> list[type[Exception]]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_has_one_root_and_is_a_builtin_too(package: str) -> None:
    module = import_module(f"{package}.errors")
    roots = []
    for error in errors_of(module):
        assert error.__name__ in module.__all__
        assert issubclass(error, StanceError)
        assert str(error("one sentence")) == "one sentence"
        natural = [kind for kind in error.__mro__ if kind.__module__ == "builtins" and kind not in (Exception, object)]
        natural.remove(BaseException)
        if not natural:
            roots.append(error)
        if error.__name__.endswith("Missing"):
            assert issubclass(error, FileNotFoundError | ImportError)
    roots = [root for root in roots if root is not StanceError]
    assert len(roots) == 1
    assert all(issubclass(error, roots[0]) for error in errors_of(module) if error is not StanceError)


@pytest.mark.parametrize(
    "module",
    [
        *PACKAGES,
        "pose.weight_files.fetch",
        "pose.weight_files.location",
        "pose.weight_files.known_weights",
        "stream.commands.weights",
    ],
)
def test_imports_are_light(module: str) -> None:
    code = f"import {module}, sys; print(*sorted({set(HEAVY)} & {{*sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == ""
