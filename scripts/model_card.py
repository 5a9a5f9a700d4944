"""Writing of cards and networks, for the export scripts. A part of export_nnunet.py and export_monai.py, no program of its own.

The format is described in models/README.md; the program refuses what does not fit it.
"""
import hashlib
import json
import pathlib
import sys

import numpy as np

# Networks larger than this many f32 steps apart from the original are not written: relative to the largest answer.
EXPORT_TOLERANCE = 1e-4


def refuse(message):
    """Ends the program: what cannot be expressed exactly is not exported."""
    sys.exit(f"not exported: {message}")


def add_arguments(parser):
    """What no trained folder says and a card must."""
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write, named NAME-VERSION")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=ROLE:ORGAN",
                        help="role (organ, lesion, ablation_zone) and organ of each label; needed once for each")
    parser.add_argument("--modality", required=True, help="DICOM modality: CT, MR, PT")
    parser.add_argument("--series-role", required=True, help="role of the series, as in `lesiontrace index`")
    parser.add_argument("--unit", required=True, help='HU, SUVbw, Bq/ml, or "" where values have none')
    parser.add_argument("--further-image", action="append", default=[], metavar="NAME=MODALITY:SERIES-ROLE:UNIT",
                        help="each image the network sees beside the first, in the order of its channels")
    parser.add_argument("--licence", required=True, help="licence of the weights")
    parser.add_argument("--intended-use", required=True)
    parser.add_argument("--limit", action="append", default=[], required=True, help="what it was never shown or does badly")
    parser.add_argument("--training-data", required=True)
    parser.add_argument("--data-licence", required=True)
    parser.add_argument("--quality", action="append", default=[], metavar="MEASURE|VALUE|ON|COMMAND",
                        help="a measured figure, what it was measured on, and by which command")


def toml(value):
    """A value as TOML; strings and lists of strings are those of JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    number = float(value)
    if not np.isfinite(number):
        refuse(f"a number of the card is {number}")
    return repr(number)


def table(name, entries):
    """One TOML table; entries without a value are left out."""
    lines = [f"[{name}]"] if name else []
    return "\n".join(lines + [f"{key} = {toml(value)}" for key, value in entries.items() if value is not None])


def label_tables(names, given, extra):
    """`[[label]]` tables; `names` in ascending order without background, `extra` more keys by name."""
    roles = {}
    for text in given:
        name, _, rest = text.partition("=")
        role, _, organ = rest.partition(":")
        if not role or not organ:
            refuse(f"--label expects NAME=ROLE:ORGAN, found {text}")
        roles[name] = (role, organ)
    missing = [name for name in names if name not in roles]
    if missing or set(roles) - set(names):
        refuse(f"--label is needed once for each of {names}; missing {missing}, unknown {sorted(set(roles) - set(names))}")
    tables = [table("[label]", {"index": 0, "name": "background", "role": "background"})]
    for index, name in enumerate(names, 1):
        role, organ = roles[name]
        entries = {"index": index, "name": name, "role": role, "organ": organ, **extra.get(name, {})}
        tables.append(table("[label]", entries))
    return tables


def further_tables(given, normalisations):
    """`[[further_image]]` tables: what was given on the command line, with the normalisation of each channel after the first."""
    if len(given) != len(normalisations):
        refuse(f"the network sees {1 + len(normalisations)} images together: --further-image is needed once for each after the first")
    tables = []
    for text, normalisation in zip(given, normalisations):
        name, _, rest = text.partition("=")
        fields = rest.split(":")
        if not name or len(fields) != 3:
            refuse(f"--further-image expects NAME=MODALITY:SERIES-ROLE:UNIT, found {text}")
        entries = {"name": name, "modality": fields[0], "series_role": fields[1], "unit": fields[2]}
        tables.append(table("[further_image]", entries) + "\n" + table("further_image.normalisation", normalisation))
    return tables


def digest(path):
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def export_network(network, shape, path, swap_channels=None):
    """Writes a torch network as ONNX (opset 17, any batch size), and compares both on noise; returns the largest difference."""
    import onnx
    import onnxruntime
    import torch

    network.eval()
    torch.manual_seed(0)
    example = torch.randn(shape)
    with torch.no_grad():
        torch.onnx.export(network, (example,), str(path), input_names=["image"], output_names=["logits"], opset_version=17,
                          dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}}, dynamo=False)
        wanted = network(example)
    if not isinstance(wanted, torch.Tensor):
        refuse("the network answers with more than one tensor; switch deep supervision off")
    onnx.checker.check_model(str(path))
    got = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": example.numpy()})[0]
    difference = float(np.abs(got - wanted.numpy()).max())
    if difference > EXPORT_TOLERANCE * max(1.0, float(wanted.abs().max())):
        refuse(f"the ONNX network differs from the original by {difference}")
    print(f"{path}: {path.stat().st_size} bytes, largest difference from torch on noise {difference:.1e}")
    return difference


def write_card(args, networks, version_note, parts, quality, limits):
    """Writes card.toml from its parts, the first network being the main one."""
    name, _, version = args.out.name.rpartition("-")
    if not name:
        refuse(f"--out is named NAME-VERSION, found {args.out.name}")
    qualities = []
    for text in args.quality:
        fields = text.split("|")
        if len(fields) != 4:
            refuse(f"--quality expects MEASURE|VALUE|ON|COMMAND, found {text}")
        qualities.append(dict(measure=fields[0], value=float(fields[1]), on=fields[2], command=fields[3]))
    qualities += quality
    if not qualities:
        refuse("no measured figure: give at least one --quality")
    head = {
        "card_version": 1, "name": name, "version": version, "file": networks[0].name, "sha256": digest(networks[0]),
        "licence": args.licence, "clinical_use": False, "intended_use": args.intended_use, "limits": args.limit + limits,
    }
    training = {"data": args.training_data, "data_licence": args.data_licence, "command": version_note}
    tables = [table("", head)]
    tables += [table("[fold]", {"file": path.name, "sha256": digest(path)}) for path in networks[1:]]
    tables.append(table("training", training))
    tables += [table("[quality]", entries) for entries in qualities]
    (args.out / "card.toml").write_text("\n\n".join(tables + parts) + "\n")
    print(f"{args.out / 'card.toml'}: written; `lesiontrace model check {args.out}` reads it")
