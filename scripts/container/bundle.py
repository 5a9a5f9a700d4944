#!/usr/bin/env python3
"""Makes the configuration of an unpacked image what a careful site would run it with: read-only root, no network, no capability,
a user of any number without a home, a small temporary folder, and two folders from outside.

usage: scripts/container/bundle.py BUNDLE --user UID --out FOLDER --models FOLDER [--memory BYTES] -- ARGUMENT …
"""

import argparse
import json
import pathlib


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--user", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--models", required=True)
    parser.add_argument("--memory", type=int)
    parser.add_argument("arguments", nargs="+")
    asked = parser.parse_args()

    path = asked.bundle / "config.json"
    config = json.loads(path.read_text())
    config["root"]["readonly"] = True
    process = config["process"]
    process["terminal"] = False
    process["user"] = {"uid": asked.user, "gid": asked.user}
    process["args"] = asked.arguments
    process["cwd"] = "/"
    process["env"] = [variable for variable in process["env"] if not variable.startswith("HOME=")]
    process["capabilities"] = {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")}
    process["noNewPrivileges"] = True

    # A network of its own: there is nothing in it but the loopback.
    kinds = {namespace["type"] for namespace in config["linux"]["namespaces"]}
    config["linux"]["namespaces"] += [{"type": kind} for kind in ("network", "pid", "ipc", "uts", "mount") if kind not in kinds]
    bind = ["rbind", "nosuid", "nodev"]
    places = ("/tmp", "/out", "/models")
    config["mounts"] = [mount for mount in config["mounts"] if mount["destination"] not in places] + [
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "size=64m", "mode=1777"]},
        {"destination": "/out", "type": "bind", "source": asked.out, "options": [*bind, "rw"]},
        {"destination": "/models", "type": "bind", "source": asked.models, "options": [*bind, "ro"]},
    ]
    if asked.memory:
        config["linux"].setdefault("resources", {})["memory"] = {"limit": asked.memory}
    path.write_text(json.dumps(config, indent=1))


if __name__ == "__main__":
    main()
