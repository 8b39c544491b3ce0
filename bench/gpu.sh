#!/bin/bash
# FLAVA on a GPU through XLA, and through ONNX Runtime's WebGPU (Vulkan), beside PyTorch, on a machine with Python (jax's CUDA plugin, torch,
# transformers) and no Node.
# First, where Node is: bash bench/gpu-pack.sh. Then there: OUT=folder bash bench/gpu.sh [seconds in all, 560 unless said]
# PARTS='matmul|fp32' runs only the parts whose names match; FLAVA_XLA_FLAGS='' leaves XLA's own flags as they are.
# Rehearsal with tiny models on a processor: OUT=folder bash bench/gpu.sh --rehearse; its WebGPU wants a GPU of software, such as
# Chromium's: VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json LD_LIBRARY_PATH=/usr/lib/chromium
# Each part is a process with a time of its own, and none needs another's success; results are lines of $OUT/gpu.jsonl, joined in $OUT/gpu.json and
# printed at the end, also where it comes early (SIGTERM, Ctrl-C); what each part said is in $OUT/log/.
set -u
cd "$(dirname "$0")/.."
OUT=${OUT:-/tmp/flava-gpu}
mkdir -p "$OUT/log"
: > "$OUT/gpu.jsonl"
began=$(date +%s)
rehearse="" platform=cuda total=560
if [ "${1:-}" = --rehearse ]; then rehearse=--rehearse platform=cpu total=${2:-1200}; elif [ -n "${1:-}" ]; then total=$1; fi

# What is known so far, as a table.
summary() {
python3 - "$OUT" <<'PY'
import json, sys
out = sys.argv[1]
lines = []
for line in open(f"{out}/gpu.jsonl"):
    try:
        lines.append(json.loads(line))
    except ValueError:  # cut off in the middle
        pass
peak = max([l["tflops"] for l in lines if l.get("part") == "matmul" and l.get("dtype") == "bf16"], default=None)
per_sample = next((l["gflop_per_sample"] for l in lines if "gflop_per_sample" in l), None)
for l in lines:
    if l.get("part") == "step" and peak and per_sample:
        l["share_of_bf16_matmul"] = round(l["samples_per_s"] * per_sample / 1e3 / peak, 4)
json.dump(lines, open(f"{out}/gpu.json", "w"), indent=1)
for l in lines:
    if l.get("part") == "step":
        print(*(f"{k}={l[k]}" for k in ("name", "lane", "samples_per_s", "ms", "share_of_bf16_matmul", "peak_gib", "compile_s") if k in l))
PY
  echo "all: $(($(date +%s) - began)) s"
}

work=$(mktemp -d)
running=
trap '[ -n "$running" ] && kill "$running" 2>/dev/null; summary; rm -rf "$work"' EXIT
trap 'echo "cut off"; exit 143' TERM INT HUP
python3 - .gpu "$work" <<'PY'
import lzma, os, shutil, sys
for name in ("node", "libonnxruntime.so.1"):
    try:
        with lzma.open(f"{sys.argv[1]}/{name}.xz") as packed, open(f"{sys.argv[2]}/{name}", "wb") as whole:
            shutil.copyfileobj(packed, whole)
        os.chmod(f"{sys.argv[2]}/{name}", 0o755)
    except (OSError, EOFError, lzma.LZMAError) as error:
        print(f"{name} could not be unpacked, its parts will fail: {error}")
PY
{ "$work/node" --version; nvidia-smi; ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d; ldconfig -p | grep libvulkan; python3 -m pip list 2>/dev/null | grep -iE "torch|jax|nvidia|transformers"; nproc; free -g; } > "$work/machine" 2>&1
cp "$work/machine" "$OUT/log/machine.txt"

# part NAME SECONDS COMMAND…: runs it, no longer than its time or what is left of the whole; keeps its lines, says how it ended.
part() {
  local name=$1 limit=$2 left=$((total - $(date +%s) + began)) begin rc
  shift 2
  [[ "$name" =~ ${PARTS:-.} ]] || return 0
  [ -n "$rehearse" ] && limit=$((limit * 5))
  [ "$limit" -gt "$left" ] && limit=$left
  if [ "$limit" -lt 15 ]; then echo "{\"name\":\"$name\",\"skipped\":\"no time left\"}" | tee -a "$OUT/gpu.jsonl"; return 1; fi
  begin=$(date +%s)
  timeout -k 5 "$limit" "$@" > "$OUT/log/$name.out" 2> "$OUT/log/$name.err" &
  running=$!
  wait "$running" # not in the foreground: a signal would be heard only after it
  rc=$?
  running=
  grep '^{' "$OUT/log/$name.out" | sed "s/^{/{\"name\":\"$name\",/" | tee -a "$OUT/gpu.jsonl"
  echo "{\"name\":\"$name\",\"rc\":$rc,\"seconds\":$(($(date +%s) - begin))}" | tee -a "$OUT/gpu.jsonl"
  [ $rc -ne 0 ] && tail -n 4 "$OUT/log/$name.err" | cut -c -400
  return $rc
}
ours() { local name=$1 limit=$2; shift 2; part "$name" "$limit" "$work/node" --stack-size=4000 .gpu/gpu.mjs "$@" --platform $platform $rehearse; }
web() { local name=$1 limit=$2; shift 2; part "$name" "$limit" "$work/node" --stack-size=4000 .gpu/gpu.mjs "$@" --platform webgpu --library "$work/libonnxruntime.so.1" --dtype fp32 $rehearse; }
torch() { local name=$1 limit=$2; shift 2; part "$name" "$limit" python3 test/reference/torch_flava_step.py "$@" $rehearse; }

# Where pip puts CUDA: for a plugin that lies apart from it.
nvidia=$(python3 -c 'import glob, sys; print(":".join(d for p in sys.path if p for d in glob.glob(p + "/nvidia/*/lib")))')
export LD_LIBRARY_PATH="$nvidia${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# XLA needs libdevice.10.bc, and ptxas: NVIDIA's packages have them, or CUDA's own folder, else Triton's package, which torch brings.
cuda=$(python3 - "$work/cuda" <<'PY'
import glob, os, sys
folders = [f for p in sys.path if p for f in glob.glob(p + "/nvidia/*/nvvm/libdevice")] + glob.glob("/usr/local/cuda*/nvvm/libdevice")
if folders:
    print(os.path.dirname(os.path.dirname(folders[0])))
else:
    found = [f for p in sys.path if p for f in glob.glob(p + "/triton/backends/nvidia/lib/libdevice.10.bc")]
    if found:
        made = sys.argv[1]
        os.makedirs(made + "/nvvm/libdevice")
        os.makedirs(made + "/bin")
        os.symlink(found[0], made + "/nvvm/libdevice/libdevice.10.bc")
        os.symlink(os.path.dirname(os.path.dirname(found[0])) + "/bin/ptxas", made + "/bin/ptxas")
        print(made)
PY
)
[ -n "$cuda" ] && export PATH="$cuda/bin:$PATH" XLA_FLAGS="${XLA_FLAGS:-} --xla_gpu_cuda_data_dir=$cuda"
echo "libdevice: ${cuda:-nowhere}" >> "$OUT/log/machine.txt"
# Autotuning Triton's products takes most of a compile; cuBLAS alone is compared first.
export XLA_FLAGS="${XLA_FLAGS:-} ${FLAVA_XLA_FLAGS---xla_gpu_enable_triton_gemm=false}"
[ "$platform" = cpu ] && export XLA_FLAGS="--xla_backend_optimization_level=0" # a rehearsal is about nothing that LLVM could make faster
small=64 large=256
[ -n "$rehearse" ] && small=4 large=8

ours matmul 60 matmul
ours tiny 120 tiny
ours bf16-$small 330 step --batch $small --seconds 8
torch torch-bf16-$small 60 --batch $small --seconds 6
ours bf16-$large 300 step --batch $large --seconds 10 || ours bf16-$((large / 2)) 250 step --batch $((large / 2)) --seconds 8
torch torch-bf16-$large 60 --batch $large --seconds 8 || torch torch-bf16-$((large / 2)) 60 --batch $((large / 2)) --seconds 8
torch torch-compiled-$small 120 --batch $small --seconds 6 --compile
web webgpu-tiny 60 tiny
web webgpu-matmul 40 matmul
web webgpu-fp32-8 120 step --batch 8 --seconds 6
ours fp32-$small 150 step --batch $small --dtype fp32 --seconds 6
torch torch-fp32-$small 60 --batch $small --seconds 6 --dtype fp32
torch torch-matmul 30 --matmul
ours bf16-f32-results-$small 150 step --batch $small --results float32 --seconds 6
