"""Writes test/golden/detection.json: what pycocotools says of detections in made pictures.

Needs: pip install pycocotools numpy   (2.0.11 and 2.4 wrote the file that is committed)
"""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
rng = np.random.default_rng(11)


def box(scale=1.0):
    w, h = rng.integers(1, 40, 2) / 64 * scale
    x, y = rng.random(2) * (1 - np.array([w, h]))
    return [float(np.round(v, 3)) for v in (x, y, w, h)]


def near(other):
    return [float(np.round(abs(v + rng.normal() * 0.03), 3)) for v in other]


def case(pictures, classes, noise, many):
    truth, found = [], []
    for p in range(pictures):
        own = [(int(rng.integers(1, classes + 1)), box()) for _ in range(rng.integers(pictures == 1, 5))]
        truth += [(p, c, b) for c, b in own]
        for c, b in own:
            for _ in range(rng.integers(0, 3)):
                kind = c if rng.random() < 0.8 else int(rng.integers(1, classes + 2))
                found.append((p, kind, near(b), float(np.round(rng.random(), 1))))  # scores tie
        for _ in range(many if p == 0 else noise):
            found.append((p, int(rng.integers(1, classes + 2)), box(), float(np.round(rng.random(), 2))))
    return truth, found


def evaluate(truth, found, pictures, classes):
    gt = COCO()
    gt.dataset = {
        "images": [{"id": p, "width": 1, "height": 1} for p in range(pictures)],
        "categories": [{"id": c} for c in range(1, classes + 2)],
        "annotations": [
            {"id": i + 1, "image_id": p, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
            for i, (p, c, b) in enumerate(truth)
        ],
    }
    gt.createIndex()
    dt = gt.loadRes([{"image_id": p, "category_id": c, "bbox": b, "score": s} for p, c, b, s in found])
    run = COCOeval(gt, dt, "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return {"ap": run.stats[0], "ap50": run.stats[1], "ap75": run.stats[2], "ar100": run.stats[8]}


cases = []
for pictures, classes, noise, many in [(1, 1, 1, 2), (6, 3, 2, 4), (12, 5, 4, 150), (3, 2, 1, 1)]:
    truth, found = case(pictures, classes, noise, many)
    with contextlib.redirect_stdout(io.StringIO()):
        scores = evaluate(truth, found, pictures, classes)
    cases.append({"pictures": pictures, "truth": truth, "found": found, "scores": {k: float(v) for k, v in scores.items()}})
(GOLDEN / "detection.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
