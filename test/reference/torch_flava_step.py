"""Times a joint training step of Hugging Face's FlavaForPreTraining in PyTorch: the peer of bench/gpu.ts, on the same device.

The same batch of random pairs, bfloat16 autocast (or float32), fused AdamW, gradients clipped to norm 1, feeds on the device. Prints
one line of JSON. Random weights; nothing is downloaded.
Usage: python3 test/reference/torch_flava_step.py [--batch 64] [--dtype bf16|fp32] [--compile] [--seconds 12] [--rehearse]
       python3 test/reference/torch_flava_step.py --matmul
"""

import argparse
import json
import statistics
import time

import torch


def wait():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(call, seconds):
    """Medians need at least three; the first call has warmed up."""
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - start)
    return times


def matmul(device, rehearse):
    n = 256 if rehearse else 8192
    x = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    w = torch.randn(n, n, device=device, dtype=torch.bfloat16) / n**0.5

    def chain():
        y = x
        for _ in range(16):
            y = y @ w

    chain(), wait()
    tflops = 16 * 2 * n**3 / statistics.median(timed(chain, 1)) / 1e12
    return {"part": "matmul", "dtype": "bf16", "n": n, "tflops": round(tflops, 2)}


def model_and_batch(B, device, rehearse):
    from transformers import FlavaConfig, FlavaForPreTraining

    T = 77
    config = FlavaConfig()
    if rehearse:
        T = 12
        layer = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
        config = FlavaConfig(
            image_config={**layer, "image_size": 32, "patch_size": 8, "vocab_size": 64},
            text_config={**layer, "vocab_size": 96},
            multimodal_config=layer,
            image_codebook_config={"num_groups": 4, "hidden_size": 8, "vocab_size": 64, "num_blocks_per_group": 1},
            hidden_size=32,
            projection_dim=32,
        )
    config.skip_unmasked_multimodal_encoder = True
    config.image_config.mask_token = True
    model = FlavaForPreTraining(config)
    size, words = config.image_config.image_size, config.text_config.vocab_size
    grid = size // config.image_config.patch_size
    masked_patches, masked_tokens = (75, 12) if grid == 14 else (6, 3)
    g = torch.Generator().manual_seed(1)
    ids = torch.randint(5, words, (B, T), generator=g)
    positions = torch.rand(B, T, generator=g).argsort(1)[:, :masked_tokens]
    labels = torch.full((B, T), -100).scatter(1, positions, ids.gather(1, positions))
    patches = torch.rand(B, grid * grid, generator=g).argsort(1)[:, :masked_patches]
    batch = {
        "input_ids": ids,
        "input_ids_masked": ids.scatter(1, positions, 4),
        "attention_mask": torch.ones(B, T, dtype=torch.long),
        "pixel_values": torch.rand(B, 3, size, size, generator=g) - 0.5,
        "codebook_pixel_values": 0.1 + 0.8 * torch.rand(B, 3, 8 * grid, 8 * grid, generator=g),
        "bool_masked_pos": torch.zeros(B, grid * grid, dtype=torch.long).scatter(1, patches, 1).view(B, grid, grid),
        "mlm_labels": labels,
        "itm_labels": torch.tensor([0 if i % 8 == 6 else 1 for i in range(B)]),
    }
    return model.to(device).train(), {name: t.to(device) for name, t in batch.items()}


def make_step(batch_size, dtype, compiled, device, rehearse=False, fused=True):
    """A function that makes one update and gives the loss; its `model` is the one that is trained."""
    model, batch = model_and_batch(batch_size, device, rehearse)
    params = [p for name, p in model.named_parameters() if p.requires_grad and not name.startswith("image_codebook")]
    optimizer = torch.optim.AdamW(params, lr=1e-4, weight_decay=0.1, fused=fused)
    run = torch.compile(model) if compiled else model

    def once():
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bf16"):
            losses_of = run(**batch, skip_unmasked_multimodal_encoder=True, return_loss=True).loss_info
            loss = sum(v for v in losses_of.values() if v is not None)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in params if p.grad is not None], 1.0)
        optimizer.step()
        return loss.detach()

    once.model = model
    return once


def step(args, device):
    once = make_step(args.batch, args.dtype, args.compile, device, args.rehearse, fused=device == "cuda")
    start = time.perf_counter()
    losses = [once()]
    wait()
    first = time.perf_counter() - start
    once(), wait()
    times = timed(lambda: losses.append(once()), args.seconds)
    ms = 1000 * statistics.median(times)
    attention = getattr(once.model.config, "_attn_implementation", None)
    return {
        "part": "step",
        "lane": "torch compiled" if args.compile else "torch eager",
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        "attention": attention,
        "batch": args.batch,
        "dtype": args.dtype,
        "ms": round(ms, 3),
        "samples_per_s": round(1000 * args.batch / ms, 1),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if device == "cuda" else None,
        "first_step_s": round(first, 2),
        "steps": len(times),
        "losses": [round(float(losses[0]), 5), round(float(losses[-1]), 5)],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--matmul", action="store_true")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rehearse", action="store_true", help="a tiny model on the processor")
    args = parser.parse_args()
    device = "cpu" if args.rehearse or not torch.cuda.is_available() else "cuda"
    print(json.dumps(matmul(device, args.rehearse) if args.matmul else step(args, device)), flush=True)


if __name__ == "__main__":
    main()
