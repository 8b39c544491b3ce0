"""Writes test/golden/safetensors/mixed.safetensors with the reference implementation (pip install safetensors numpy).

Run from the repository root: python test/reference/make_safetensors.py
"""

import json
import struct
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

tensors = {
    "weight.f32": np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 0.5,
    "weight.f64": np.array([np.pi, -0.0, 5e-324]),
    "half": np.array([1.0, -2.5, 65504.0, 6e-8], dtype=np.float16),
    "ids": np.array([[-1, 2**53 + 1]], dtype=np.int64),
    "positions": np.array([7, -8, 2**31 - 1], dtype=np.int32),
    "pixels": np.array([0, 127, 255], dtype=np.uint8),
    "mask": np.array([True, False, True, True]),
    "scalar": np.array(2.6592, dtype=np.float32),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "größe/層": np.ones((1, 1, 2), dtype=np.float32),
}

out = Path("test/golden/safetensors/mixed.safetensors")
save_file(tensors, out, metadata={"made_by": f"safetensors {version('safetensors')}"})

# numpy has no bfloat16: this file is the format by hand, with the upper halves of 1, -2.5 and 3.140625.
header = json.dumps({"b": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}, separators=(",", ":")).encode()
header += b" " * (-len(header) % 8)
body = struct.pack("<3H", 0x3F80, 0xC020, 0x4049)
Path("test/golden/safetensors/bf16.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + body)
