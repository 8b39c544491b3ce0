"""
Writes test/golden/compared/other-sizes.json: models of transformers at sizes and switches that the reference's tiny models do not have, each
with its config.json, results and norms of gradients. Weights and inputs are by the formula of numbers.ts, in float64.

  pip install torch transformers
  python test/reference/make_compared_goldens.py
"""
import json
from pathlib import Path

import torch
from transformers import AlignConfig, AlignModel, CLIPConfig, CLIPModel, LxmertConfig, LxmertForPreTraining

OUT = Path(__file__).parent.parent / "golden" / "compared" / "other-sizes.json"
plain = torch.nn.functional.softmax
torch.nn.functional.softmax = lambda x, dim=None, dtype=None, **_: plain(x, dim=dim)  # theirs is float32 in places


def golden(name, shape, low, high):
    x = 0x811C9DC5
    for byte in name.encode():
        x = (x ^ byte) * 0x01000193 & 0xFFFFFFFF
    out = []
    for _ in range(torch.Size(shape).numel()):
        x = (1664525 * x + 1013904223) & 0xFFFFFFFF
        out.append(low + (high - low) * (x / 2**32))
    return torch.tensor(out, dtype=torch.float64).reshape(shape)


def filled(model):
    model = model.double().eval()
    with torch.no_grad():
        for name, p in [*model.named_parameters(), *model.named_buffers()]:
            if not p.is_floating_point():
                continue
            if p.dim() == 0:
                p.fill_(2.6592 if name.endswith("logit_scale") else 1)
                continue
            positive = name.endswith("running_var") or (p.dim() == 1 and name.endswith(".weight"))
            p.copy_(golden(name, p.shape, 0.8, 1.2) if positive else golden(name, p.shape, -0.3, 0.3))
    return model


def short(x):
    return float(f"{x.item():.12g}")


def summary(t):
    return {"shape": list(t.shape), "sum": short(t.sum()), "first": [short(x) for x in t.flatten()[:3]]}


def norms(model):
    # Untouched tensors, and shifts of keys, which softmax does not see, are 0 but for rounding.
    found = {n: p.grad.norm() for n, p in model.named_parameters() if p.grad is not None}
    total = torch.sqrt(sum(x**2 for x in found.values()))
    kept = {n: short(x) for n, x in found.items() if x > 1e-9 * total}
    return {"total": short(torch.sqrt(sum(found[n] ** 2 for n in kept))), "count": len(kept), **kept}


def case(model, config, inputs, outputs, loss):
    loss.backward()
    kept = [*model.named_parameters(), *model.named_buffers()]
    return {
        "config": config,
        "names": [n for n, t in kept if t.is_floating_point()],
        "inputs": {n: t.tolist() for n, t in inputs.items() if not t.is_floating_point()},
        "outputs": {**{n: summary(t) for n, t in outputs.items()}, "loss": short(loss)},
        "gradients": norms(model),
    }


def clip():
    layers = {"num_hidden_layers": 1, "intermediate_size": 20}
    config = {
        "model_type": "clip",
        "projection_dim": 7,
        "vision_config": {**layers, "hidden_size": 18, "num_attention_heads": 3, "image_size": 15, "patch_size": 5, "hidden_act": "gelu"},
        "text_config": {**layers, "hidden_size": 12, "num_attention_heads": 4, "vocab_size": 30, "max_position_embeddings": 6, "eos_token_id": 9, "pad_token_id": 0, "bos_token_id": 1},
    }
    model = filled(CLIPModel(CLIPConfig(**config)))
    ids = torch.tensor([[1, 20, 9, 29, 0, 0], [1, 9, 9, 9, 9, 9], [1, 3, 4, 5, 6, 9]])
    pixels = golden("pixel_values", (3, 3, 15, 15), -2, 2)
    o = model(input_ids=ids, pixel_values=pixels, return_loss=True)
    return case(model, config, {"input_ids": ids}, {"image_embeds": o.image_embeds, "text_embeds": o.text_embeds}, o.loss)


def align():
    vision = {"image_size": 19, "width_coefficient": 0.3, "depth_coefficient": 1.2, "depth_divisor": 4, "kernel_sizes": [5, 3], "in_channels": [32, 16], "out_channels": [16, 24], "strides": [2, 2], "num_block_repeats": [1, 1], "expand_ratios": [1, 3], "depthwise_padding": [2], "squeeze_expansion_ratio": 0.3, "batch_norm_eps": 0.01, "drop_connect_rate": 0}
    text = {"vocab_size": 30, "hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 20, "max_position_embeddings": 5, "type_vocab_size": 1, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "layer_norm_eps": 1e-6}
    config = {"model_type": "align", "projection_dim": 8, "vision_config": vision, "text_config": text}
    model = filled(AlignModel(AlignConfig(**config))).train()
    ids = torch.tensor([[1, 4, 5, 2, 0], [1, 0, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]])
    pixels = golden("pixel_values", (2, 3, 19, 19), -2, 2)
    o = model(input_ids=ids, pixel_values=pixels, attention_mask=mask, return_loss=True)
    outputs = {"image_embeds": o.image_embeds, "text_embeds": o.text_embeds}
    return case(model, config, {"input_ids": ids, "attention_mask": mask}, outputs, o.loss)


def lxmert():
    config = {"model_type": "lxmert", "vocab_size": 30, "hidden_size": 12, "num_attention_heads": 3, "num_qa_labels": 4, "num_object_labels": 5, "num_attr_labels": 3, "intermediate_size": 20, "max_position_embeddings": 6, "l_layers": 1, "x_layers": 1, "r_layers": 2, "visual_feat_dim": 7, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    model = filled(LxmertForPreTraining(LxmertConfig(**config)))
    ids = torch.tensor([[1, 4, 5, 2], [1, 0, 0, 0]])
    mask, seen = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]])
    features, boxes = golden("region_features", (2, 3, 7), 0, 2), golden("region_boxes", (2, 3, 4), 0, 1)
    o = model(input_ids=ids, attention_mask=mask, visual_feats=features, visual_pos=boxes, visual_attention_mask=seen)
    matching, answers = o.cross_relationship_score, o.question_answering_score
    loss = (matching * golden("matching", (2, 2), -1, 1)).sum() + (answers * golden("answers", (2, 4), -1, 1)).sum()
    inputs = {"input_ids": ids, "attention_mask": mask, "region_mask": seen}
    return case(model, config, inputs, {"matching": matching, "answers": answers}, loss)


OUT.write_text(json.dumps({f.__name__: f() for f in (clip, align, lxmert)}, separators=(",", ":")) + "\n")
