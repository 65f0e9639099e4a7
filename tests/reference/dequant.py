# SPDX-License-Identifier: Apache-2.0
"""Random blocks of every GGUF weight type that kvlab reads, with the values that gguf-py gives them.

Makes tests/golden/dequant.json: per type the raw bytes in hexadecimal and the float32 values as bit patterns, so that the
comparison is exact. Run: python dequant.py   (gguf, numpy)
"""

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

import golden_io

TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]
N_VALUES = 8 * 32


def random_bytes(rng, kind, n_blocks, n_bytes):
    raw = rng.integers(0, 256, size=(n_blocks, n_bytes), dtype=np.uint8)
    if kind.startswith("Q"):  # scales of ordinary size, one subnormal, one zero, one negative
        scales = rng.normal(size=n_blocks).astype(np.float16)
        scales[:3] = np.array([6e-8, 0.0, -1.5], dtype=np.float16)
        raw[:, :2] = scales.view(np.uint8).reshape(n_blocks, 2)
        if kind == "Q4_1":
            raw[:, 2:4] = rng.normal(size=n_blocks).astype(np.float16).view(np.uint8).reshape(n_blocks, 2)
        return raw
    values = rng.normal(size=n_blocks).astype(np.float32)
    if kind == "F32":
        return values.view(np.uint8)
    if kind == "F16":
        return values.astype(np.float16).view(np.uint8)
    return (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)


def main():
    rng = np.random.default_rng(7)
    cases = []
    for kind in TYPES:
        dtype = GGMLQuantizationType[kind]
        n_per_block, n_bytes = GGML_QUANT_SIZES[dtype]
        raw = np.ascontiguousarray(random_bytes(rng, kind, N_VALUES // n_per_block, n_bytes)).reshape(-1)
        data = raw.view(np.float32) if kind == "F32" else raw.view(np.float16) if kind == "F16" else raw
        values = np.asarray(dequantize(data, dtype), dtype=np.float32).reshape(-1)
        assert values.size == N_VALUES
        cases.append({"type": kind, "bytes": raw.tobytes().hex(), "bits": values.view(np.uint32).tolist()})
    golden = {**golden_io.header(__file__, "gguf", "numpy"), "cases": cases}
    golden_io.write_json(golden_io.GOLDEN / "dequant.json", golden)


if __name__ == "__main__":
    main()
