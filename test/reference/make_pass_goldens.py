"""Writes what this Pillow makes of tall pictures into test/golden/image/pillow-passes.json, beside what other versions made.

    for v in 12.3.0 13.0.0; do
      python3 -m venv venv-$v && venv-$v/bin/pip install pillow==$v numpy && venv-$v/bin/python test/reference/make_pass_goldens.py
    done
"""

import json

import PIL
from make_image_goldens import FILTERS, OUT, fnv, picture

PASSES = OUT.with_name("pillow-passes.json")
SIZES = [
    ((61, 143), (24, 24)),
    ((30, 90), (28, 40)),
    ((30, 90), (60, 40)),
    ((40, 100), (10, 40)),  # 60 rows less and twice 30 columns: not more than twice
    ((40, 101), (10, 40)),
    ((24, 143), (24, 24)),
    ((20, 50), (60, 60)),
    ((143, 61), (24, 24)),
]
BOXES = [None, (3.25, 2.5, 18.125, 40.75), (0, 7, 20, 47)]


def rows():
    for name, filter in FILTERS.items():
        for source, target in SIZES:
            for box in BOXES:
                data = picture("passes", *source).resize(target, filter, box=box).tobytes()
                yield {"filter": name, "from": source, "to": target, "box": box, "hash": fnv(data)}


if __name__ == "__main__":
    versions = json.loads(PASSES.read_text()) if PASSES.exists() else {}
    versions[PIL.__version__] = list(rows())
    lines = [
        f'"{version}": [\n' + ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in made) + "\n]"
        for version, made in sorted(versions.items())
    ]
    PASSES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(PASSES, PASSES.stat().st_size)
