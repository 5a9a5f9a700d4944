#!/usr/bin/env python3
"""Makes the tiny networks of test_data/models and the oracle values of test_data/oracles/seeded.

Deterministic: running it again writes the same bytes (with the versions of onnx, numpy and onnxruntime named in the oracle
file). Each network's digest is written into the card beside it; everything else in the cards is written by hand.

    python3 scripts/make_test_models.py        needs: numpy, onnx, onnxruntime
"""
import hashlib
import json
import pathlib
import re

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent / "test_data"
SEED = 20261121


def save(folder, nodes, weights, n_labels):
    """Writes model.onnx: `image` [n,1,d,h,w] -> `logits` [n,n_labels,d,h,w], opset 17, and its digest into card.toml."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "d", "h", "w"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", n_labels, "d", "h", "w"])
    initializers = [numpy_helper.from_array(np.asarray(v, dtype=np.float32), name) for name, v in weights.items()]
    graph = helper.make_graph(nodes, folder, [image], [logits], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="make_test_models")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    (ROOT / "models" / folder / "model.onnx").write_bytes(data)
    card = ROOT / "models" / folder / "card.toml"
    digest = hashlib.sha256(data).hexdigest()
    card.write_text(re.sub(r'(?m)^sha256 = "[^"]*"', f'sha256 = "{digest}"', card.read_text()))
    print(f"{folder}: {len(data)} bytes, SHA-256 {digest}")
    return data


def thresholds(at):
    """Logits over v = image[z, y, x] + `at`: background below 0.25, label 1 up to 0.75, label 2 above; exact, no padding trap."""
    z, y, x = at
    kernel = np.zeros((3, 1, 3, 3, 3), dtype=np.float32)
    kernel[:, 0, 1 + z, 1 + y, 1 + x] = [0.0, 8.0, 16.0]
    nodes = [helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"], pads=[1] * 6)]
    return nodes, {"kernel": kernel, "bias": [0.0, -2.0, -8.0]}


def seeded():
    """A two-level network with the operators of a real one: strided Conv, InstanceNormalization, LeakyRelu, ConvTranspose, Concat."""
    random = np.random.RandomState(SEED)
    weights = {
        "w1": random.randn(3, 1, 3, 3, 3) * 0.4,
        "b1": random.randn(3) * 0.1,
        "s1": 1.0 + 0.1 * random.randn(3),
        "o1": 0.1 * random.randn(3),
        "w2": random.randn(4, 3, 3, 3, 3) * 0.2,
        "b2": random.randn(4) * 0.1,
        "w3": random.randn(4, 3, 2, 2, 2) * 0.4,
        "b3": random.randn(3) * 0.1,
        "w4": random.randn(3, 6, 1, 1, 1),
        "b4": random.randn(3) * 0.1,
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1] * 6),
        node("InstanceNormalization", ["c1", "s1", "o1"], ["n1"]),
        node("LeakyRelu", ["n1"], ["r1"], alpha=0.01),
        node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1] * 6, strides=[2] * 3),
        node("LeakyRelu", ["c2"], ["r2"], alpha=0.01),
        node("ConvTranspose", ["r2", "w3", "b3"], ["u3"], strides=[2] * 3),
        node("Concat", ["r1", "u3"], ["j"], axis=1),
        node("Conv", ["j", "w4", "b4"], ["logits"]),
    ]
    return nodes, weights


def oracle(data):
    """Logits of the seeded network on a volume both sides can make: v[k][j][i] = ((7i + 13j + 29k) mod 31) / 31."""
    nk, nj, ni = 8, 10, 12
    k, j, i = np.meshgrid(np.arange(nk), np.arange(nj), np.arange(ni), indexing="ij")
    image = (((7 * i + 13 * j + 29 * k) % 31) / 31.0).astype(np.float32)[None, None]
    logits = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(["logits"], {"image": image})[0][0]
    voxels = [(c, z, y, x) for c in range(3) for z, y, x in [(0, 0, 0), (0, 0, 11), (3, 9, 1), (7, 4, 6), (7, 9, 11)]]
    report = {
        "tool": f"onnxruntime {onnxruntime.__version__} (Python, CPU), onnx {onnx.__version__}, numpy {np.__version__}",
        "image": "v[k][j][i] = ((7i + 13j + 29k) mod 31) / 31, ni 12, nj 10, nk 8",
        "logits": [{"c": c, "k": z, "j": y, "i": x, "value": float(logits[c, z, y, x])} for c, z, y, x in voxels],
        "sum_of_logits": [float(logits[c].astype(np.float64).sum()) for c in range(3)],
        "n_voxels_of_label": [int((logits.argmax(0) == label).sum()) for label in range(3)],
    }
    (ROOT / "oracles" / "seeded" / "logits.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    save("bright-0.1.0", *thresholds((0, 0, 0)), 3)
    save("shifted-0.1.0", *thresholds((0, 0, -1)), 3)
    oracle(save("seeded-0.1.0", *seeded(), 3))
