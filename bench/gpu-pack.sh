#!/bin/bash
# Makes .gpu/: what bench/gpu.sh needs on a machine without Node: Node itself (stripped, packed for Python's lzma), the benchmark
# as one file, koffi, and the library of onnxruntime-node for WebGPU; the last line says how large it is. Linux x64. Usage: bash bench/gpu-pack.sh
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .gpu/node_modules/@koromix
# Whole or not at all: half of one would be taken for the whole by the next call.
pack() { xz -6 -T0 -c "$1" > ".gpu/$2.partial" && mv ".gpu/$2.partial" ".gpu/$2"; }
node_modules/.bin/rolldown bench/gpu.ts --file .gpu/gpu.mjs --format esm --platform node --external koffi --transform.target node20
rm -rf .gpu/node_modules/koffi .gpu/node_modules/@koromix/koffi-linux-x64
cp -rL node_modules/koffi .gpu/node_modules/koffi
cp -rL node_modules/@koromix/koffi-linux-x64 .gpu/node_modules/@koromix/
if [ ! -e .gpu/node.xz ]; then
  cp "$(node -p process.execPath)" .gpu/node
  strip .gpu/node || echo "strip is not here: the packed Node is larger"
  pack .gpu/node node.xz
  rm .gpu/node
fi
pack node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1 libonnxruntime.so.1.xz
du -sh .gpu
