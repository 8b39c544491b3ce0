"""PyTorch's side of `npm run bench peers`: reads works as lines of JSON on stdin and answers each with a line on stdout.

  {"prepare": name, "dtype": "fp32" | "bf16", "compiled": bool, "work": {...}}   makes a work of bench/peers/work.ts ready
  {"run": name}                                                                  runs it once: {"wall": s, "processor": s}
  {"drop": name}                                                                 forgets it

The layers are written as one would write them in PyTorch: one linear layer for query, key and value, scaled_dot_product_attention, bfloat16
by autocast, AdamW fused. Weights are random; nothing is downloaded.
"""

import argparse
import gc
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, WIDTH, HIDDEN, HEADS, TOKENS = 12, 768, 3072, 12, 197
PRODUCTS = 10


class Layer(nn.Module):
    """A ViT block, norms first."""

    def __init__(self):
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH, eps=1e-12), nn.LayerNorm(WIDTH, eps=1e-12)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x):
        B, N, D = x.shape
        q, k, v = self.qkv(self.before(x)).view(B, N, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, D)
        x = x + self.out(y)
        return x + self.down(F.gelu(self.up(self.after(x))))


def stack(work, dtype, compiled):
    model = nn.Sequential(*(Layer() for _ in range(LAYERS)))
    run = torch.compile(model) if compiled else model
    x = torch.rand(work["batch"], TOKENS, WIDTH) - 0.5
    low = torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16")
    if work["kind"] == "forward":

        def forward():
            with torch.inference_mode(), low:
                run(x)

        return forward
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)

    def training():
        with low:
            y = run(x)
        loss = y.float().square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return training


def product(work, dtype, _):
    form, rows, inner, out = (work["shape"][key] for key in ("form", "rows", "inner", "out"))
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    of = lambda *shape: (torch.rand(*shape) - 0.5).to(kind)
    N = max(inner, out)
    a, b, call = {
        "forward": lambda: (of(rows, inner), of(out, inner), lambda a, b: F.linear(a, b)),
        "inputGradient": lambda: (of(rows, out), of(out, inner), lambda a, b: a @ b),
        "weightGradient": lambda: (of(rows, out), of(rows, inner), lambda a, b: a.t() @ b),
        "scores": lambda: (of(rows, N, inner), of(rows, N, inner), lambda a, b: a @ b.transpose(1, 2)),
        "context": lambda: (of(rows, N, N), of(rows, N, out), lambda a, b: a @ b),
    }[form]()

    def many():
        with torch.inference_mode():
            for _ in range(PRODUCTS):
                call(a, b)

    many.times = PRODUCTS
    return many


def flava(work, dtype, compiled):
    from torch_flava_step import make_step

    return make_step(work["batch"], dtype, compiled, device="cpu", fused=True)


WORKS = {"product": product, "forward": stack, "training": stack, "flava": flava}


def answer(line, ready):
    if "prepare" in line:
        work = line["work"]
        call = WORKS[work["kind"]](work, line["dtype"], line["compiled"])
        call()  # compiles, and fills caches
        ready[line["prepare"]] = call
        return {}
    if "drop" in line:
        del ready[line["drop"]]
        gc.collect()
        return {}
    call = ready[line["run"]]
    times = getattr(call, "times", 1)
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return {"wall": (time.perf_counter() - wall) / times, "processor": (time.process_time() - processor) / times}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int)
    threads = parser.parse_args().threads
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(1)
    try:
        from transformers import __version__ as transformers
    except ImportError:
        transformers = None
    out = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    say = lambda reply: print(json.dumps(reply), file=out, flush=True)
    say({"torch": torch.__version__, "threads": torch.get_num_threads(), "transformers": transformers})
    ready = {}
    for line in sys.stdin:
        try:
            say(answer(json.loads(line), ready))
        except Exception as error:  # said to the other side, which goes on without this lane
            say({"error": f"{type(error).__name__}: {error}".split("\n")[0][:300]})


main()
