import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../errors.ts";
import { fromNumbers, type Shape, size, type Tensor, toNumbers } from "../../../tensor/index.ts";
import { compareWeights, differencesError, narrowedNote, type TensorSource, underOurNames } from "../../layout.ts";
import { flavaConfig } from "../config.ts";
import { flavaParameters } from "../parameters.ts";
import { variants } from "../variants.ts";
import { type FlavaLayout, flavaLayouts } from "./index.ts";

const specs = flavaParameters(variants.tiny);
const BASE = flavaParameters(flavaConfig());

/** A file whose tensors are counted up from their name, so that each is another. */
function fileOf(shapes: ReadonlyMap<string, Shape>): TensorSource {
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { dtype: "float32" as const, shape }]));
  return {
    name: "file",
    tensors,
    async read(name) {
      const shape = shapes.get(name)!;
      const start = [...name].reduce((sum, c) => (31 * sum + c.charCodeAt(0)) % 9973, 7);
      return fromNumbers(
        Array.from({ length: size(shape) }, (_, i) => start + i),
        shape,
      );
    },
  };
}

const names = (list: readonly string[], shape: Shape = [2]): TensorSource =>
  fileOf(new Map(list.map((n) => [n, shape])));
const open = (file: TensorSource) => underOurNames(file, flavaLayouts);
const published = (list: typeof specs) =>
  new Map(list.flatMap(({ name, shape, aliases }) => [name, ...aliases].map((one) => [one, shape] as const)));

/** The file that a code base would have of these parameters; parts of one tensor are joined. */
function written(layout: FlavaLayout, list: typeof specs): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const [name, shape] of published(list)) {
    const target = flavaLayouts[layout].target(name);
    if (!target) continue;
    const [, of] = target.part ?? [0, 1];
    shapes.set(target.name, [shape[0]! * of, ...shape.slice(1)]);
    if (shape.length === 0) shapes.set(target.name, []);
  }
  return shapes;
}

describe("underOurNames", () => {
  it.each(Object.keys(flavaLayouts) as FlavaLayout[])(
    "reads back what %s names, each tensor in its place",
    (layout) => {
      const file = fileOf(written(layout, BASE));
      const found = open(file);
      expect(found.layout).toBe(layout);
      expect([...found.unknown, ...found.ignored.keys()]).toEqual([]);
      const wanted = [...published(BASE)].filter(([name]) => flavaLayouts[layout].target(name));
      expect([...found.tensors.keys()].sort()).toEqual(wanted.map(([name]) => name).sort());
      for (const [name, shape] of wanted) expect(found.tensors.get(name)!.shape, name).toEqual(shape);
    },
  );

  it("knows 618 names of the published checkpoint and its position ids", () => {
    const file = fileOf(new Map([...published(BASE), ["flava.text_model.embeddings.position_ids", [1, 512]]]));
    expect(file.tensors.size).toBe(619);
    const found = open(file);
    expect(found.what).toBe("FlavaForPreTraining");
    expect(Object.fromEntries(found.ignored)).toEqual({
      "counting buffers": ["flava.text_model.embeddings.position_ids"],
    });
    expect(compareWeights(BASE, found)).toEqual({ missing: [], unexpected: [], misshapen: [] });
  });

  it.each([
    ["FlavaModel", "flava."],
    ["FlavaImageModel", "flava.image_model."],
    ["FlavaTextModel", "flava.text_model."],
    ["FlavaMultimodalModel", "flava.multimodal_model."],
    ["FlavaImageCodebook", "image_codebook."],
  ])("adds to the names of a %s what is in front in the whole model", (what, prefix) => {
    const part = [...published(specs)].filter(([name]) => name.startsWith(prefix));
    const found = open(fileOf(new Map(part.map(([name, shape]) => [name.slice(prefix.length), shape]))));
    expect(found).toMatchObject({ layout: "huggingface", what, unknown: [] });
    expect([...found.tensors.keys()]).toEqual(part.map(([name]) => name));
  });

  it("takes off what wrappers add: DataParallel, torch.compile, FSDP", () => {
    const wrapped = ["module.flava.logit_scale", "_orig_mod.flava.image_model.layernorm.bias"];
    const deep = "module._orig_mod.flava._fsdp_wrapped_module.text_model.layernorm.bias";
    expect([...open(names([...wrapped, deep])).tensors.keys()]).toEqual([
      "flava.logit_scale",
      "flava.image_model.layernorm.bias",
      "flava.text_model.layernorm.bias",
    ]);
    expect(() => open(names(["module.flava.logit_scale", "flava.logit_scale"]))).toThrow(
      /expected one tensor for flava.logit_scale, got "module.flava.logit_scale" and "flava.logit_scale"/,
    );
  });

  it("takes a scope around all names off, as Lightning saves a model that it trains", () => {
    const all = ["net.flava.logit_scale", "net.flava.image_model.layernorm.bias"];
    expect([...open(names(all)).stored]).toEqual(all.map((name) => [name.slice("net.".length), name]));
    expect(() => open(names([...all, "other.bias"]))).toThrow(/expected tensors named as in/);
  });

  it("reads float64 as float32, and says of how many tensors", async () => {
    const tensor = { dtype: "float64", shape: [2], data: Float64Array.of(0.1, 1 / 3) } as const;
    const tensors = new Map([["flava.logit_scale", tensor]]);
    const found = open({ name: "double.bin", tensors, read: async () => tensor });
    expect([found.narrowed, found.tensors.get("flava.logit_scale")!.dtype]).toEqual([1, "float32"]);
    expect((await found.read("flava.logit_scale")).data).toEqual(Float32Array.of(0.1, 1 / 3));
    expect(narrowedNote(found)).toBe("tensors of float64: 1, read as float32, to nearest");
  });

  it("reads torchmultimodal's names, those of older versions too", () => {
    const layer = "model.image_encoder.encoder.layer.3.";
    const pairs = {
      [`${layer}attention.query.weight`]: "flava.image_model.encoder.layer.3.attention.attention.query.weight",
      [`${layer}attention.output.bias`]: "flava.image_model.encoder.layer.3.attention.output.dense.bias",
      [`${layer}attention_layernorm.weight`]: "flava.image_model.encoder.layer.3.layernorm_before.weight",
      [`${layer}feedforward_layernorm.weight`]: "flava.image_model.encoder.layer.3.layernorm_after.weight",
      [`${layer}feedforward.model.0.weight`]: "flava.image_model.encoder.layer.3.intermediate.dense.weight",
      [`${layer}feedforward.model.2.weight`]: "flava.image_model.encoder.layer.3.output.dense.weight",
      "model.image_encoder.embeddings.mask_token": "flava.image_model.embeddings.mask_token",
      "model.text_encoder.embeddings.layer_norm.weight": "flava.text_model.embeddings.LayerNorm.weight",
      "model.text_encoder.embeddings.token_type_embeddings.weight":
        "flava.text_model.embeddings.token_type_embeddings.weight",
      "model.mm_encoder.cls_token": "flava.multimodal_model.cls_token",
      "model.mm_encoder.pooler.dense.bias": "flava.multimodal_model.pooler.dense.bias",
      "model.image_to_mm_projection.weight": "flava.image_to_mm_projection.weight",
      "loss.contrastive_loss.logit_scale": "flava.logit_scale",
      "loss.contrastive_loss.image_projection.weight": "flava.image_projection.weight",
      "loss.mmm_loss.mim.cls.dense.weight": "mmm_image_head.transform.dense.weight",
      "loss.mmm_loss.mlm.cls.layer_norm.bias": "mmm_text_head.transform.LayerNorm.bias",
      "loss.mlm_loss.cls.decoder.bias": "mlm_head.decoder.bias",
      "loss.mim_loss.cls.bias": "mim_head.bias",
      "loss.itm_loss.pooler.dense.weight": "itm_head.pooler.dense.weight",
      "loss.itm_loss.cls.seq_relationship.bias": "itm_head.seq_relationship.bias",
      "image_codebook.encoder.blocks.group_2.block_1.id_path.w":
        "image_codebook.blocks.group_2.group.block_1.id_path.weight",
    };
    const found = open(names(Object.keys(pairs)));
    expect(found.layout).toBe("torchmultimodal");
    expect(Object.fromEntries([...found.stored].map(([ours, theirs]) => [theirs, ours]))).toEqual(pairs);
    const alone = open(
      names(
        Object.keys(pairs)
          .filter((name) => name.startsWith("model."))
          .map((name) => name.slice(6)),
      ),
    );
    expect(alone.what).toBe("FLAVAModel");
    expect(alone.tensors.has("flava.multimodal_model.cls_token")).toBe(true);
  });

  it("splits projections that torchmultimodal has fused", async () => {
    const fused = "model.text_encoder.encoder.layer.0.attention.input_proj.bias";
    const found = open(
      fileOf(
        new Map<string, Shape>([
          [fused, [6]],
          ["model.text_encoder.encoder.layer.0.feedforward.model.0.weight", [2, 2]],
        ]),
      ),
    );
    const [q, k, v] = await Promise.all(
      ["query", "key", "value"].map((part) =>
        found.read(`flava.text_model.encoder.layer.0.attention.attention.${part}.bias`),
      ),
    );
    expect([q, k, v].map((t) => t!.shape)).toEqual([[2], [2], [2]]);
    expect([q, k, v].flatMap((t) => toNumbers(t!))).toEqual(
      toNumbers(await fileOf(new Map([[fused, [6]]])).read(fused)),
    );
  });

  it("tells OpenAI's encoder from its decoder, whose names are the same", () => {
    const list = ["blocks.group_1.block_1.res_path.conv_1.w", "blocks.output.conv.b"];
    const encoder = open(
      fileOf(new Map<string, Shape>([["blocks.input.w", [256, 3, 7, 7]], ...list.map((n) => [n, [1]] as const)])),
    );
    expect([...encoder.tensors.keys()]).toEqual([
      "image_codebook.blocks.input.weight",
      "image_codebook.blocks.group_1.group.block_1.res_path.path.conv_1.weight",
      "image_codebook.blocks.output.conv.bias",
    ]);
    const decoder = open(
      fileOf(new Map<string, Shape>([["blocks.input.w", [128, 8192, 1, 1]], ...list.map((n) => [n, [1]] as const)])),
    );
    expect(decoder.tensors.has("image_decoder.blocks.output.conv.bias")).toBe(true);
  });
});

describe("a DINO encoder", () => {
  const shapes = written("dino", specs);

  it("gives every tensor of FLAVA's image encoder but the mask token and the pooler", () => {
    const wanted = specs.filter(({ name }) => name.startsWith("flava.image_model.") && !/mask_token|pooler/.test(name));
    const found = open(
      fileOf(new Map<string, Shape>([...shapes, ["head.mlp.0.weight", [2, 4]], ["head.last_layer.weight_g", [9, 1]]])),
    );
    expect(compareWeights(wanted, found)).toEqual({ missing: [], unexpected: [], misshapen: [] });
    expect(found.ignored.get("tensors of DINO's projection head")).toHaveLength(2);
  });

  it("has query, key and value in the rows of one tensor", async () => {
    const file = fileOf(shapes);
    const found = open(file);
    const rows = toNumbers(await file.read("blocks.1.attn.qkv.weight"));
    const D = variants.tiny.image.hiddenSize;
    for (const [i, part] of ["query", "key", "value"].entries()) {
      const t: Tensor = await found.read(`flava.image_model.encoder.layer.1.attention.attention.${part}.weight`);
      expect(toNumbers(t)).toEqual(rows.slice(i * D * D, (i + 1) * D * D));
    }
  });

  it("is the teacher's where a file has both networks", () => {
    const both = [...shapes].flatMap(([name, shape]): [string, Shape][] => [
      [`student.module.backbone.${name}`, shape],
      [`teacher.backbone.${name}`, shape],
    ]);
    const found = open(fileOf(new Map(both)));
    expect([...found.stored.values()].every((name) => name.startsWith("teacher."))).toBe(true);
    expect(found.ignored.get("tensors of the student")).toHaveLength(shapes.size);
  });

  it("is refused where rows do not divide, and lists what no such model has", () => {
    expect(() => open(names(["blocks.0.attn.qkv.bias"], [7]))).toThrow(/\(7\) does not divide into 3/);
    expect(open(names(["patch_embed.proj.weight", "blocks.0.ls1.gamma"])).unknown).toEqual(["blocks.0.ls1.gamma"]);
  });
});

describe("weights that are not the model's", () => {
  it("are refused with the code bases that are known where no name is", () => {
    expect(() => open(names(["layer1.0.conv1.weight"]))).toThrow(CheckpointError);
    expect(() => open(names(["layer1.0.conv1.weight"]))).toThrow(
      /named as in torchmultimodal's FLAVA, OpenAI's dVAE, DINO's ViT or Hugging Face's FLAVA, got layer1.0.conv1.weight/,
    );
  });

  it("are listed: missing with the name that looks alike, unexpected, misshapen, a few of each and how many", () => {
    const shapes = new Map(published(specs));
    const moved = "flava.image_model.layernorm.weight";
    shapes.delete(moved);
    shapes.set("flava.image_model.layer_norm.weight", [16]);
    for (const { name } of specs.filter(({ name }) => name.startsWith("itm_head."))) shapes.delete(name);
    shapes.set("mim_head.bias", [23]);
    const differences = compareWeights(specs, open(fileOf(shapes)));
    const text = differencesError("file", differences)!.message;
    expect(text).toContain(`✖ 5 missing:\n    ${moved} (did you mean "flava.image_model.layer_norm.weight"?)`);
    expect(text).toContain("✖ 1 not of this model:\n    flava.image_model.layer_norm.weight");
    expect(text).toContain("mim_head.bias: expected float32 (24), got float32 (23)");
    expect(differencesError("file", { missing: [], unexpected: [], misshapen: [] })).toBeUndefined();
    expect(
      differencesError("file", { missing: BASE.map(({ name }) => name), unexpected: [], misshapen: [] })!.message,
    ).toMatch(/✖ 614 missing:(\n {4}\S+){5}\n {4}and 609 more/);
  });

  it("may come from a model without a mask token", () => {
    const without = flavaConfig({ ...variants.tiny, image: { ...variants.tiny.image, maskToken: false } });
    expect(flavaParameters(without).map(({ name }) => name)).toEqual(
      specs.map(({ name }) => name).filter((name) => !name.endsWith("mask_token")),
    );
  });
});
