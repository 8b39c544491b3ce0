"""Writes test/golden/flava-base-parameters.json: names and shapes of FlavaForPreTraining's tensors at its default sizes.

An independent derivation from the published naming scheme (not from this project's sources): braces list alternatives, a
number after `i <` is a range. Usage: python3 test/reference/make_flava_parameters.py
"""

import itertools
import json
import pathlib
import re

D, F, E = 768, 3072, 768
TABLE = [
    ("flava.logit_scale", []),
    ("flava.text_model.embeddings.word_embeddings.weight", [30522, D]),
    ("flava.text_model.embeddings.position_embeddings.weight", [512, D]),
    ("flava.text_model.embeddings.token_type_embeddings.weight", [2, D]),
    ("flava.text_model.embeddings.LayerNorm.{weight,bias}", [D]),
    ("flava.image_model.embeddings.{cls_token,mask_token}", [1, 1, D]),
    ("flava.image_model.embeddings.position_embeddings", [1, 197, D]),
    ("flava.image_model.embeddings.patch_embeddings.projection.weight", [D, 3, 16, 16]),
    ("flava.image_model.embeddings.patch_embeddings.projection.bias", [D]),
    ("flava.multimodal_model.cls_token", [1, 1, D]),
    ("flava.{image_projection,text_projection}.weight", [E, D]),
    ("flava.{image_projection,text_projection}.bias", [E]),
    ("flava.{image_to_mm_projection,text_to_mm_projection}.weight", [D, D]),
    ("flava.{image_to_mm_projection,text_to_mm_projection}.bias", [D]),
    ("{mim_head,mmm_image_head,mlm_head,mmm_text_head}.transform.dense.weight", [D, D]),
    ("{mim_head,mmm_image_head,mlm_head,mmm_text_head}.transform.{dense.bias,LayerNorm.weight,LayerNorm.bias}", [D]),
    ("{mim_head,mmm_image_head}.decoder.weight", [8192, D]),
    ("{mim_head,mmm_image_head}.{bias,decoder.bias}", [8192]),
    ("{mlm_head,mmm_text_head}.decoder.weight", [30522, D]),
    ("{mlm_head,mmm_text_head}.{bias,decoder.bias}", [30522]),
    ("itm_head.pooler.dense.weight", [D, D]),
    ("itm_head.pooler.dense.bias", [D]),
    ("itm_head.seq_relationship.weight", [2, D]),
    ("itm_head.seq_relationship.bias", [2]),
    ("image_codebook.blocks.input.weight", [256, 3, 7, 7]),
    ("image_codebook.blocks.input.bias", [256]),
    ("image_codebook.blocks.output.conv.weight", [8192, 2048, 1, 1]),
    ("image_codebook.blocks.output.conv.bias", [8192]),
]
for model, layers in [("image_model", 12), ("text_model", 12), ("multimodal_model", 6)]:
    numbers = ",".join(str(i) for i in range(layers))
    layer = f"flava.{model}.encoder.layer.{{{numbers}}}"
    TABLE += [
        (layer + ".attention.attention.{query,key,value}.weight", [D, D]),
        (layer + ".attention.attention.{query,key,value}.bias", [D]),
        (layer + ".attention.output.dense.weight", [D, D]),
        (layer + ".attention.output.dense.bias", [D]),
        (layer + ".intermediate.dense.weight", [F, D]),
        (layer + ".intermediate.dense.bias", [F]),
        (layer + ".output.dense.weight", [D, F]),
        (layer + ".output.dense.bias", [D]),
        (layer + ".{layernorm_before,layernorm_after}.{weight,bias}", [D]),
        (f"flava.{model}.layernorm.{{weight,bias}}", [D]),
        (f"flava.{model}.pooler.dense.weight", [D, D]),
        (f"flava.{model}.pooler.dense.bias", [D]),
    ]
for group, (before, after) in enumerate([(256, 256), (256, 512), (512, 1024), (1024, 2048)], start=1):
    for block in (1, 2):
        entry = before if block == 1 else after
        path = f"image_codebook.blocks.group_{group}.group.block_{block}"
        hidden = after // 4
        if entry != after:
            TABLE += [(path + ".id_path.weight", [after, entry, 1, 1]), (path + ".id_path.bias", [after])]
        TABLE += [
            (path + ".res_path.path.conv_1.weight", [hidden, entry, 3, 3]),
            (path + ".res_path.path.{conv_2,conv_3}.weight", [hidden, hidden, 3, 3]),
            (path + ".res_path.path.conv_4.weight", [after, hidden, 1, 1]),
            (path + ".res_path.path.{conv_1,conv_2,conv_3}.bias", [hidden]),
            (path + ".res_path.path.conv_4.bias", [after]),
        ]


def expand(pattern: str) -> list[str]:
    parts = [part.split(",") for part in re.split(r"[{}]", pattern)]
    return ["".join(choice) for choice in itertools.product(*parts)]


tensors = {name: shape for pattern, shape in TABLE for name in expand(pattern)}
assert len(tensors) == sum(len(expand(pattern)) for pattern, _ in TABLE), "a name is given twice"
lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(tensors[name])}" for name in sorted(tensors))
target = pathlib.Path(__file__).parent.parent / "golden" / "flava-base-parameters.json"
target.write_text("{\n" + lines + "\n}\n")
print(len(tensors), "tensors")
