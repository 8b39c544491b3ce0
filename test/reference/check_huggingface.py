"""Opens what a run writes (weights, config.json, tokenizer.json) with Hugging Face's transformers, and writes test/golden/huggingface/flava.json for the tests.

    python3 -m venv venv && venv/bin/pip install torch transformers==5.24.0 safetensors
    venv/bin/python test/reference/check_huggingface.py RUN_FOLDER...   # what is missing, left over or of another size
    venv/bin/python test/reference/check_huggingface.py --golden

The golden file holds the types of all fields of config.json, and for some configurations the tensors that their classes have.
"""

import json
import pathlib
import re
import sys

import torch
import transformers
from transformers import AutoTokenizer, FlavaConfig, FlavaForPreTraining, FlavaModel
from transformers.models.flava import configuration_flava

OUT = pathlib.Path(__file__).parent.parent / "golden" / "huggingface" / "flava.json"
CLASSES = [FlavaModel, FlavaForPreTraining]


def check(folder):
    """True where both classes open the folder with nothing missing, left over or of another size; prints what differs."""
    notes = json.loads((pathlib.Path(folder) / "config.json").read_text()).get("flava_notes", [])
    clean = True
    for cls in CLASSES:
        try:
            _, info = cls.from_pretrained(folder, output_loading_info=True)
        except Exception as error:
            print(f"{folder}: {cls.__name__}: {type(error).__name__}: {error}")
            clean = False
            continue
        # FlavaModel has no heads and no codebook: they are left over by design.
        left = [k for k in info["unexpected_keys"] if cls is FlavaForPreTraining or k.startswith("flava.")]
        found = {"missing": sorted(info["missing_keys"]), "left over": left, "another size": list(info["mismatched_keys"])}
        print(f"{folder}: {cls.__name__}: {({k: v for k, v in found.items() if v} or 'opens, nothing missing, nothing left over')}")
        clean = clean and not any(found.values())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    print(f"{folder}: {type(tokenizer).__name__} opens, {len(tokenizer)} words")
    for note in notes:
        print(f"{folder}: note: {note}")
    return clean


def small(**changes):
    """A small config.json; changes by part."""
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    parts = {
        "image_config": {**size, "image_size": 32, "patch_size": 8, "vocab_size": 24},
        "text_config": {**size, "vocab_size": 40, "max_position_embeddings": 12},
        "multimodal_config": dict(size),
        "image_codebook_config": {"hidden_size": 8, "vocab_size": 24, "num_blocks_per_group": 2},
    }
    top = {"hidden_size": 16, "projection_dim": 10}
    for key, value in changes.items():
        if key in parts:
            parts[key] = None if value is None else {**parts[key], **value}
        else:
            top[key] = value
    return {**top, **parts}


CASES = {
    "small": small(),
    "no CLS of the multimodal encoder": small(multimodal_config={"use_cls_token": False}),
    "no biases of query, key and value": small(
        image_config={"qkv_bias": False}, text_config={"qkv_bias": False}, multimodal_config={"qkv_bias": False}
    ),
    "no codebook": small(init_codebook=False, image_codebook_config=None),
    "other depths, channels and token types": small(
        image_config={"num_hidden_layers": 3, "num_channels": 1, "patch_size": 4},
        text_config={"num_hidden_layers": 2, "type_vocab_size": 1},
        multimodal_config={"num_hidden_layers": 2, "num_attention_heads": 4},
        image_codebook_config={"num_blocks_per_group": 1, "input_channels": 1},
    ),
    "three groups are four": small(image_codebook_config={"num_groups": 3}),
}


def type_name(annotation):
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def fields():
    names = ["FlavaConfig", "FlavaImageConfig", "FlavaTextConfig", "FlavaMultimodalConfig", "FlavaImageCodebookConfig"]
    classes = [getattr(configuration_flava, name) for name in names]
    return {cls.model_type: {k: type_name(t) for k, t in cls.__annotations__.items()} for cls in classes}


def case(config):
    with torch.device("meta"):
        model = FlavaForPreTraining(FlavaConfig(**json.loads(json.dumps(config))))
    tensors = {name: list(t.shape) for name, t in model.state_dict().items()}
    return {"config": config, "tensors": dict(sorted(tensors.items()))}


if __name__ == "__main__":
    if sys.argv[1:] == ["--golden"]:
        tied = dict(sorted(FlavaForPreTraining._tied_weights_keys.items()))
        cases = {name: case(config) for name, config in CASES.items()}
        golden = {"transformers": transformers.__version__, "fields": fields(), "tied": tied, "cases": cases}
        OUT.parent.mkdir(exist_ok=True)
        # A shape on one line.
        lists = re.compile(r"\[\s+((?:\d+,?\s*)+)\]")
        text = lists.sub(lambda found: f"[{' '.join(found[1].split())}]", json.dumps(golden, indent=1))
        OUT.write_text(text + "\n")
        print(OUT, OUT.stat().st_size)
    else:
        sys.exit(0 if all([check(folder) for folder in sys.argv[1:]]) else 1)
