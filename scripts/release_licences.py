#!/usr/bin/env python3
"""Copies the licence texts of every crate that is linked into the program, with a table of names, versions and licences.

usage: scripts/release_licences.py FOLDER TARGET      called by scripts/release; needs cargo
"""

import json
import pathlib
import shutil
import subprocess
import sys

TEXTS = ("licen", "copying", "notice", "unlicense", "copyright")


def linked(metadata: dict) -> set[str]:
    """Identifiers of the packages the program is linked from: normal dependencies, no build scripts' and no tests'."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    found, open_ = set(), [identifier for identifier, name in names.items() if name == "lesiontrace"]
    while open_:
        identifier = open_.pop()
        if identifier in found:
            continue
        found.add(identifier)
        for dependency in nodes[identifier]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                open_.append(dependency["pkg"])
    return found


def main() -> None:
    folder, target = pathlib.Path(sys.argv[1]), sys.argv[2]
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    ours = linked(metadata)
    rows, without = [], []
    for package in sorted(metadata["packages"], key=lambda package: (package["name"], package["version"])):
        if package["id"] not in ours or package["source"] is None:
            continue
        name = f"{package['name']}-{package['version']}"
        rows.append(f"{package['name']}\t{package['version']}\t{package['license'] or package['license_file']}\n")
        source = pathlib.Path(package["manifest_path"]).parent
        texts = [file for file in source.rglob("*") if file.name.lower().startswith(TEXTS) and file.is_file()]
        # The crate's own, else those of the sources it brings along.
        top = [file for file in texts if file.parent == source]
        texts = sorted(top or (file for file in texts if file.suffix in ("", ".txt", ".md")))
        for text in texts:
            (folder / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(text, folder / name / text.name)
        if not texts:
            without.append(name)
    (folder / "crates.tsv").write_text("crate\tversion\tlicence\n" + "".join(rows))
    print(f"licences of {len(rows)} crates; {len(without)} bring no text of their own: {' '.join(without)}")


if __name__ == "__main__":
    main()
