/** A tiny model from a folder: what it takes, what it gives, and what it says when it cannot. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModelFolder, tinyWeights } from "../../test/support/tiny-model.ts";
import { CheckpointError, ConfigError, DataError, FileError } from "../errors.ts";
import { entriesOf, saveSafetensors } from "../hub/index.ts";
import { variants } from "../models/flava/index.ts";
import { fromNumbers, halfToFloat, type Tensor } from "../tensor/index.ts";
import { FlavaModel } from "./flava-model.ts";
import type { RawPixels } from "./image-input.ts";
import { FlavaProcessor } from "./processor.ts";

let folder: string;
let model: FlavaModel;
const warnings: string[] = [];
const made: string[] = [];

const fresh = async (options: Parameters<typeof tinyModelFolder>[0] = {}): Promise<string> => {
  made.push(await tinyModelFolder(options));
  return made.at(-1)!;
};

beforeAll(async () => {
  folder = await fresh();
  model = await FlavaModel.fromPretrained(folder, {
    threads: 1,
    batchSize: 4,
    onWarning: (message) => warnings.push(message),
  });
});
afterAll(() => {
  model.dispose();
  for (const each of made) rmSync(each, { recursive: true, force: true });
});

/** Noise that depends on the number. */
const picture = (seed: number, width = 20, height = 30): RawPixels => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (7 + 2 * seed) + seed * 31) % 256),
});

/** The smallest 24-bit BMP of some pixels. */
function bmp({ width, height, data }: RawPixels): Uint8Array {
  const row = Math.ceil((width * 3) / 4) * 4;
  const bytes = new Uint8Array(54 + row * height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) bytes[54 + (height - 1 - y) * row + 3 * x + c] = data[3 * (y * width + x) + 2 - c]!;
  return bytes;
}

const embedsOf = async (image: Parameters<FlavaModel["encodeImage"]>[0]): Promise<Float32Array> =>
  (await model.encodeImage(image, { outputs: ["image_embeds"] })).image_embeds.data;

describe("results", () => {
  it("do not depend on the batch, on the other texts or on the padding", async () => {
    const words = fc.array(fc.constantFrom("a", "cat", "dog", "red", "ball", "beach"), { maxLength: 9 });
    const text = words.map((list) => list.join(" "));
    const all = ["text_embeds", "text_features", "pooler_output"] as const;
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 7 }), async (texts) => {
        const together = await model.encodeText(texts, { outputs: all });
        const whole = await model.encodeText(texts);
        for (const [i, one] of texts.entries()) {
          const alone = await model.encodeText(one, { outputs: all });
          for (const name of all) {
            expect(together[name].row(i), `${name} of "${one}"`).toBeAllclose(alone[name].data, { atol: 1e-5 });
            expect(whole[name].row(i), `${name} of "${one}"`).toBeAllclose(alone[name].data, { atol: 1e-5 });
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  it("of pairs do not depend on it either, and one picture goes with many texts", async () => {
    const texts = ["a cat", "a red ball on the beach in this photo", "dog", "", "a dog and a cat", "tree"];
    const pictures = texts.map((_, i) => picture(i));
    const together = await model.match(pictures, texts);
    for (const [i, text] of texts.entries())
      expect(together[i], text).toBeCloseTo((await model.match(pictures[i]!, text))[0]!, 5);
    const first = await model.match(pictures[0]!, texts);
    expect(first).toBeAllclose(
      await model.match(
        texts.map(() => pictures[0]!),
        texts,
      ),
      { atol: 1e-5 },
    );
    expect(await model.match(pictures, "a cat")).toBeAllclose(
      await model.match(
        pictures,
        pictures.map(() => "a cat"),
      ),
      { atol: 1e-5 },
    );
    await expect(model.match(pictures.slice(0, 2), texts.slice(0, 3))).rejects.toThrow(
      /2 pictures and 3 texts.*similarity/s,
    );
  });

  it("of nothing are empty", async () => {
    const { image_embeds, image_embeddings } = await model.encodeImage([]);
    expect([image_embeds.dims, image_embeddings.dims, image_embeds.tolist()]).toEqual([[0, 10], [0, 17, 16], []]);
    expect((await model.encodeText([])).text_embeds.dims).toEqual([0, 10]);
    expect(await model.match([], [])).toEqual([]);
    expect((await model.encodePair([], [])).itm_logits.dims).toEqual([0, 2]);
    expect((await model.similarity([], ["a"])).logits_per_image.dims).toEqual([0, 1]);
    const rows = [];
    for await (const row of model.embedImages([])) rows.push(row);
    expect(rows).toEqual([]);
  });

  it("are those asked for; a name that there is not is an error that lists the names", async () => {
    expect(Object.keys(await model.encodeText("a", { outputs: ["pooler_output"] }))).toEqual(["pooler_output"]);
    await expect(model.encodeText("a", { outputs: ["text_embed" as never] })).rejects.toThrow(
      /text_embeds.*"text_embed"/s,
    );
  });

  it("are the same at their own size with interpolation, and others at another size", async () => {
    await using larger = await FlavaModel.fromPretrained(folder, { imageSize: 48, threads: 1 });
    expect((await larger.encodeImage(picture(1))).image_embeddings.dims).toEqual([1, 37, 16]);
    expect(await larger.match(picture(1), "a cat")).toHaveLength(1);
    await using same = await FlavaModel.fromPretrained(folder, { imageSize: 32, threads: 1 });
    expect((await same.encodeImage(picture(1))).image_embeds.data).toEqual(await embedsOf(picture(1)));
    await expect(FlavaModel.fromPretrained(folder, { imageSize: 30 })).rejects.toThrow(/whole patches of 8.*30/);
  });
});

describe("pictures", () => {
  it("are the same by path, address, data: URL, Blob, bytes and pixels, grey and with alpha too", async () => {
    const raw = picture(3);
    const bytes = bmp(raw);
    const path = join(folder, "one.bmp");
    writeFileSync(path, bytes);
    const expected = await embedsOf(raw);
    const rgba = {
      ...raw,
      channels: 4,
      data: Uint8ClampedArray.from({ length: 2400 }, (_, i) => (i % 4 === 3 ? 255 : raw.data[(i >> 2) * 3 + (i % 4)]!)),
    };
    const deep = { ...raw, data: Uint16Array.from(raw.data, (value) => value * 256 + 77) };
    const inputs = [
      path,
      new URL(`file://${path}`),
      `data:image/bmp;base64,${Buffer.from(bytes).toString("base64")}`,
      new Blob([bytes as Uint8Array<ArrayBuffer>]),
      bytes,
      bytes.buffer as ArrayBuffer,
      { key: "one", image: bytes },
      rgba,
      { ...rgba, channels: undefined },
      deep,
    ];
    for (const [i, input] of inputs.entries()) expect(await embedsOf(input), `input ${i}`).toEqual(expected);
    const grey = { width: 5, height: 4, data: Uint8Array.from({ length: 20 }, (_, i) => 10 * i) };
    const colour = { width: 5, height: 4, data: Uint8Array.from({ length: 60 }, (_, i) => 10 * Math.floor(i / 3)) };
    expect(await embedsOf(grey)).toEqual(await embedsOf(colour));
    const clear = { width: 2, height: 2, channels: 2, data: Uint8Array.of(0, 0, 9, 0, 90, 0, 200, 0) };
    expect(await embedsOf(clear)).toEqual(await embedsOf({ width: 2, height: 2, data: new Uint8Array(4).fill(255) }));
  });

  it("at an address come from there, and its failure is named", async () => {
    const bytes = bmp(picture(4));
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/a.bmp" ? 200 : 404;
      response.end(request.url === "/a.bmp" ? bytes : "no");
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect(await embedsOf(`${root}/a.bmp`)).toEqual(await embedsOf(bytes));
      await expect(embedsOf(`${root}/b.bmp`)).rejects.toThrow(`${root}/b.bmp: expected a picture, got status 404`);
    } finally {
      server.close();
    }
    await expect(embedsOf("http://127.0.0.1:1/x.png")).rejects.toThrow(FileError);
  });

  it("that are none are errors that name them", async () => {
    writeFileSync(join(folder, "text.png"), "no picture");
    await expect(embedsOf(join(folder, "text.png"))).rejects.toThrow(/text\.png.*expected JPEG/s);
    await expect(embedsOf(join(folder, "absent.png"))).rejects.toThrow(/absent\.png.*ENOENT/s);
    await expect(embedsOf({ width: 2, height: 2, data: new Uint8Array(13) })).rejects.toThrow(DataError);
    await expect(embedsOf(7 as never)).rejects.toThrow(DataError);
  });

  it("in a stream come in order, in bounded memory, and fail alone", async () => {
    let pulled = 0;
    async function* stream() {
      for (let i = 0; i < 21; i++) {
        pulled = i + 1;
        yield i === 5 ? join(folder, "absent.png") : picture(i);
      }
    }
    const seen: number[] = [];
    for await (const row of model.embedImages(stream(), { onError: "yield" })) {
      seen.push(row.index);
      expect(pulled - row.index).toBeLessThanOrEqual(12); // one batch given, one encoded, one prepared
      if (row.index === 5) expect(row.error).toBeInstanceOf(FileError);
      else expect(row.embeds).toBeAllclose(await embedsOf(row.input), { atol: 1e-5 });
    }
    expect(seen).toEqual(Array.from({ length: 21 }, (_, i) => i));
    const before: number[] = [];
    const first = async () => {
      for await (const { index } of model.embedImages(stream())) before.push(index);
    };
    await expect(first()).rejects.toThrow(/absent/);
    expect(before).toEqual([0, 1, 2, 3, 4]);
    const texts: (Float32Array | undefined)[] = [];
    for await (const row of model.embedTexts(["a cat", "dog"])) texts.push(row.embeds);
    expect(texts[1]).toBeAllclose((await model.encodeText("dog")).text_embeds.data, { atol: 1e-5 });
  });
});

describe("texts", () => {
  it("that are too long are cut, and that is said; or refused", async () => {
    const long = Array.from({ length: 20 }, () => "cat").join(" ");
    warnings.length = 0;
    await model.encodeText([long, "dog"]);
    expect(warnings).toEqual([expect.stringMatching(/^1 of 2 texts were cut to 12 tokens, the first: "cat cat/)]);
    const { truncated, input_ids } = model.processor.texts([long, "dog"]);
    expect([truncated, input_ids.shape]).toEqual([
      [10, 0],
      [2, 12],
    ]);
    expect(() => model.processor.texts([long], { truncation: false })).toThrow(/at most 12 tokens, got 22/);
  });

  it("with [MASK] are filled in, from the text alone and with a picture", async () => {
    const alone = await model.fillMask("a [MASK] on the [MASK]", { topK: 3 });
    expect(alone.map((words) => words.length)).toEqual([3, 3]);
    const [best] = alone[0]!;
    expect(best!.sequence).toBe(`a ${best!.token_str} on the [MASK]`);
    expect(alone[0]!.map(({ score }) => score)).toEqual(alone[0]!.map(({ score }) => score).sort((a, b) => b - a));
    const every = (await model.fillMask("a [MASK]", { topK: 1000 }))[0]!;
    expect(every.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    const [seen, other] = [picture(1), picture(2)];
    const [first] = await model.fillMask("a [MASK]", { image: seen });
    expect(first).not.toEqual((await model.fillMask("a [MASK]", { image: other }))[0]);
    await expect(model.fillMask("a cat")).rejects.toThrow(/expected a text with \[MASK\], got "a cat"/);
    warnings.length = 0;
    expect(await model.fillMask(`a [MASK] ${"cat ".repeat(12)}[MASK]`)).toHaveLength(1);
    expect(warnings).toEqual([expect.stringMatching(/^1 of 1 texts were cut to 12 tokens/)]);
  });
});

describe("the processor", () => {
  it("is the model's, without its weights", async () => {
    const processor = await FlavaProcessor.fromPretrained(folder);
    const both = await processor({ images: [picture(1)], text: ["a cat"] });
    expect(Object.fromEntries(Object.entries(both).map(([name, t]) => [name, "shape" in t ? t.shape : t]))).toEqual({
      pixel_values: [1, 3, 32, 32],
      codebook_pixel_values: [1, 3, 32, 32],
      input_ids: [1, 4],
      attention_mask: [1, 4],
      token_type_ids: [1, 4],
      truncated: [0],
    });
    const found = await model.encodePair({ pixel_values: both.pixel_values! }, { input_ids: both.input_ids! });
    expect(found.itm_logits.data).toBeAllclose((await model.encodePair(picture(1), "a cat")).itm_logits.data, {
      atol: 1e-6,
    });
    await expect(processor({})).rejects.toThrow(/images, text or both/);
  });

  it("does what preprocessor_config.json says, and refuses what it cannot", async () => {
    const other = await fresh();
    const write = (json: object) => writeFileSync(join(other, "preprocessor_config.json"), JSON.stringify(json));
    write({
      size: 40,
      crop_size: { height: 32, width: 32 },
      resample: 3,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
    });
    const { pixel_values } = await (await FlavaProcessor.fromPretrained(other)).images([
      { width: 3, height: 3, data: new Uint8Array(27).fill(255) },
    ]);
    expect([pixel_values.shape, pixel_values.data[0]]).toEqual([[1, 3, 32, 32], 1]);
    write({ resample: 2 });
    await expect(FlavaProcessor.fromPretrained(other)).rejects.toThrow(/resample/);
    write({ size: 64 });
    await expect(FlavaModel.fromPretrained(other)).rejects.toThrow(/pictures of 32 pixels, got 64/);
  });
});

describe("a folder", () => {
  const without = (drop: RegExp): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tinyWeights()).filter(([name]) => !drop.test(name)));

  it("without a text encoder, a matching head or a tokenizer has a model that says so", async () => {
    await using imageOnly = await FlavaModel.fromPretrained(await fresh({ weights: without(/text|multimodal|_head/) }));
    expect((await imageOnly.encodeImage(picture(1))).image_embeds.dims).toEqual([1, 10]);
    await expect(imageOnly.encodeText("a")).rejects.toThrow(
      /expected a text encoder for text_embeds, got no weights of flava\.text_model/,
    );
    await using headless = await FlavaModel.fromPretrained(await fresh({ weights: without(/^itm_head/) }));
    await expect(headless.match(picture(1), "a")).rejects.toThrow(CheckpointError);
    await expect(headless.match(picture(1), "a")).rejects.toThrow(/itm_logits, got no weights of itm_head/);
    expect(Object.keys(await headless.encodePair(picture(1), "a"))).not.toContain("itm_logits");
    const mute = await fresh();
    rmSync(join(mute, "tokenizer.json"));
    await using silent = await FlavaModel.fromPretrained(mute);
    await expect(silent.encodeText("a")).rejects.toThrow(/expected tokenizer\.json or vocab\.txt/);
    expect(await silent.encodeText({ input_ids: fromNumbers([2, 5, 3], [1, 3], "int32") })).toHaveProperty(
      "text_embeds",
    );
  });

  it("with weights that are not numbers, or not of this model, is refused", async () => {
    const broken = tinyWeights();
    (broken["flava.text_model.layernorm.bias"]!.data as Float32Array)[3] = Number.NaN;
    await expect(FlavaModel.fromPretrained(await fresh({ weights: broken }))).rejects.toThrow(
      /text_model\.layernorm\.bias.*1 of 16/s,
    );
    const [tied, alias] = ["mlm_head.bias", "mlm_head.decoder.bias"];
    const twice = { ...tinyWeights(), [alias]: tinyWeights()[tied]! };
    await (await FlavaModel.fromPretrained(await fresh({ weights: twice })))[Symbol.asyncDispose]();
    const { shape, data } = twice[alias]!;
    twice[alias] = fromNumbers(
      Array.from(data as Float32Array, (x, i) => (i === 2 ? x + 1 : x)),
      shape,
    );
    await expect(FlavaModel.fromPretrained(await fresh({ weights: twice }))).rejects.toThrow(
      /expected mlm_head.decoder.bias and mlm_head.bias to be one tensor/,
    );
    const other = await fresh();
    const config = { ...variants.tiny, projectionDim: 12 };
    copyFileSync(join(await fresh({ config }), "config.json"), join(other, "config.json"));
    await expect(FlavaModel.fromPretrained(other)).rejects.toThrow(
      /projection\.weight: expected float32 \(12, 16\), got float32 \(10, 16\)/,
    );
    await expect(FlavaModel.fromPretrained(join(tmpdir(), "no-such-model"))).rejects.toThrow(FileError);
    await expect(FlavaModel.fromPretrained(mkdtempSync(join(tmpdir(), "flava-model-")))).rejects.toThrow(/weights/);
  });

  it("with 16-bit weights gives what these round to", async () => {
    const other = await fresh();
    const weights = tinyWeights();
    const half = (x: number): number => halfBits(x);
    const entries = Object.fromEntries(
      Object.entries(weights).map(([name, t]) => [
        name,
        { dtype: "float16", shape: t.shape, data: Uint16Array.from(t.data as Float32Array, half) } as Tensor,
      ]),
    );
    await saveSafetensors(join(other, "model.safetensors"), entriesOf(entries));
    const rounded = Object.fromEntries(
      Object.entries(entries).map(([name, t]) => [
        name,
        { dtype: "float32", shape: t.shape, data: halfToFloat(t.data as Uint16Array) } as Tensor,
      ]),
    );
    const said: string[] = [];
    await using stored = await FlavaModel.fromPretrained(other, {
      dtype: "fp16",
      onWarning: (line) => said.push(line),
    });
    await using wide = await FlavaModel.fromPretrained(await fresh({ weights: rounded }));
    expect((await stored.encodeText("a cat")).text_embeds.data).toEqual(
      (await wide.encodeText("a cat")).text_embeds.data,
    );
    expect(said).toEqual(["dtype fp16: cpu computes in float32, from the weights as they are stored"]);
    await expect(FlavaModel.fromPretrained(other, { dtype: "q9" as never })).rejects.toThrow(ConfigError);
  });

  it("in 8 bits gives nearly the same", async () => {
    await using small = await FlavaModel.fromPretrained(folder, { dtype: "q8", threads: 1 });
    const [few, full] = [(await small.encodeText("a cat")).text_embeds, (await model.encodeText("a cat")).text_embeds];
    expect(few.data.reduce((sum, x, i) => sum + x * full.data[i]!, 0)).toBeGreaterThan(0.99);
    expect(few.data).not.toEqual(full.data);
    await expect(FlavaModel.fromPretrained(folder, { dtype: "q8", device: "interpret" })).rejects.toThrow(/q8 needs/);
  });

  it("tells of its loading, and stops when asked to", async () => {
    const events: string[] = [];
    await using loaded = await FlavaModel.fromPretrained(folder, {
      progressCallback: (event) => events.push(event.status),
    });
    expect(loaded.config.model_type).toBe("flava");
    expect([events[0], events.at(-1)]).toEqual(["initiate", "ready"]);
    await expect(FlavaModel.fromPretrained(folder, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
      "enough",
    );
    await expect(model.encodeImage(picture(1), { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
      "enough",
    );
  });
});

describe("a model that was disposed of", () => {
  it("says so", async () => {
    const gone = await FlavaModel.fromPretrained(folder);
    await gone.encodeText("a");
    await gone[Symbol.asyncDispose]();
    await expect(gone.encodeText("a")).rejects.toThrow(/dispose/);
  });
});

/** The nearest half-precision number's bits, for numbers of ordinary size. */
function halfBits(x: number): number {
  const sign = x < 0 ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size < 2 ** -24) return sign;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const steps = Math.round((size / 2 ** exponent) * 1024);
  if (exponent === -14 && steps < 1024) return sign | steps;
  return sign | (((exponent + 15) << 10) + (steps - 1024));
}
