"""Check that the server, the image and all clients carry one version (make check)."""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def project(path: str) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((ROOT / path).read_text("utf-8"))["project"]
    return project


def constant(path: str, pattern: str) -> str:
    found = re.search(pattern, (ROOT / path).read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "none"


def client_pin() -> str:
    dependencies = project("pyproject.toml")["dependencies"]
    assert isinstance(dependencies, list)
    return next((text.removeprefix("quipu==") for text in dependencies if text.startswith("quipu==")), "none")


def versions() -> dict[str, str]:
    """Return the version in every place that has one."""
    found = {
        "pyproject.toml": str(project("pyproject.toml")["version"]),
        "pyproject.toml, dependency quipu": client_pin(),
        "clients/python/pyproject.toml": str(project("clients/python/pyproject.toml")["version"]),
    }
    for path in ("server/quipu_server/__init__.py", "clients/python/quipu/__init__.py"):
        found[path] = constant(path, r'^__version__ = "(.+)"$')
    if (ROOT / "clients/go/go.mod").exists():
        found["clients/go/version.go"] = constant("clients/go/version.go", r'^(?:const)?\s*Version = "(.+)"$')
    for path in ("clients/typescript/package.json", "clients/typescript/package-lock.json"):
        if (ROOT / "clients/typescript/package.json").exists():
            found[path] = json.loads((ROOT / path).read_text("utf-8"))["version"]
    return found


def main() -> int:
    found = versions()
    if len(set(found.values())) == 1:
        return 0
    for place, version in found.items():
        print(f"{version:12} {place}", file=sys.stderr)
    print("These must be one version.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
