/** The image fields of batches: both branches with the block mask, the dVAE's crops, and DINO's views. */
import { ConfigError, DataError } from "../../errors.ts";
import {
  blockMask,
  cropResize,
  type DinoOptions,
  dinoViews,
  type FlavaImageOut,
  flavaEvalImage,
  flavaTrainImage,
  flipHorizontal,
  mapPixelsTable,
  maskPositions,
  type Pixels,
  randomCropRegion,
  resize,
  toPlanes,
} from "../../image/index.ts";
import { random } from "../../tensor/index.ts";
import { type Field, rowOf } from "./rows.ts";
import type { BatchItem, ImageBuild, Part } from "./types.ts";

const NOTHING = new Float32Array(0);

/** torchmultimodal's crop, where a recipe does not say. */
const CROP = { scale: [0.9, 1] } as const;

/**
 * `pixel_values` (B, 3, S, S), `codebook_pixel_values` (B, 3, C, C), and with a mask of P patches and total Kp:
 * `bool_masked_pos` (B, P), `mim_positions` (B, Kp) padded with 0, `mim_position_mask` (B, Kp).
 */
export function imageFields({ size, codebookSize, augment, whole, mask }: ImageBuild): Part {
  const pixelValues: Field = { name: "pixel_values", dtype: "float32", shape: [3, size, size] };
  const codebook: Field = { name: "codebook_pixel_values", dtype: "float32", shape: [3, codebookSize, codebookSize] };
  const masks = mask === null ? undefined : maskFields(mask);
  const encode: Part["encode"] = (item, pixels, rows, row) => {
    const { seed, stream, epoch, ordinal } = item.draw;
    const picture = pictureOf(item, pixels);
    const out: FlavaImageOut = {
      pixel_values: rowOf(rows, pixelValues, row),
      codebook_pixel_values: codebookSize === 0 ? NOTHING : rowOf(rows, codebook, row),
    };
    if (augment === null) flavaEvalImage(picture, whole ?? { size, codebookSize }, out);
    else {
      const { crop = CROP, flip = 0 } = augment;
      flavaTrainImage(picture, { size, codebookSize, crop, flip }, random(seed, `crop:${stream}`, epoch, ordinal), out);
    }
    masks?.encode(item, pixels, rows, row);
  };
  return { fields: [pixelValues, ...(codebookSize === 0 ? [] : [codebook]), ...(masks?.fields ?? [])], encode };
}

function maskFields(options: NonNullable<ImageBuild["mask"]>): Part {
  const patches = options.rows * options.columns;
  const masked: Field = { name: "bool_masked_pos", dtype: "bool", shape: [patches] };
  const positions: Field = { name: "mim_positions", dtype: "int32", shape: [options.total] };
  const valid: Field = { name: "mim_position_mask", dtype: "bool", shape: [options.total] };
  return {
    fields: [masked, positions, valid],
    encode: ({ draw }, _pixels, rows, row) => {
      const mask = blockMask(options, random(draw.seed, `block-mask:${draw.stream}`, draw.epoch, draw.ordinal));
      const list = maskPositions(mask, options.total);
      rowOf<Uint8Array>(rows, masked, row).set(mask);
      rowOf<Int32Array>(rows, positions, row).set(list.positions);
      rowOf<Uint8Array>(rows, valid, row).set(list.valid);
    },
  };
}

/** `labels` (B): whole numbers as they are, or the places of names among `classes`. */
export function labelFields(classes: true | readonly string[]): Part {
  const labels: Field = { name: "labels", dtype: "int32", shape: [] };
  const numbers = classes === true ? undefined : new Map(classes.map((name, i) => [name, i]));
  const encode: Part["encode"] = ({ key, label }, _pixels, rows, row) => {
    const number = numbers ? numbers.get(String(label)) : label;
    if (typeof number !== "number" || !Number.isInteger(number))
      throw new DataError(
        `${key}: expected ${numbers ? `a label among ${numbers.size} classes` : "an integer label"}, got ${label ?? "none"}`,
        numbers ? undefined : "give the names of the classes: labels: [name, …]",
      );
    rowOf<Int32Array>(rows, labels, row)[0] = number;
  };
  return { fields: [labels], encode };
}

/** `codebook_pixel_values` (B, 3, size, size) alone: a crop by Lanczos, in 0.1..0.9. */
export function dvaeFields(size: number, augment: ImageBuild["augment"]): Part {
  const field: Field = { name: "codebook_pixel_values", dtype: "float32", shape: [3, size, size] };
  const table = mapPixelsTable();
  const encode: Part["encode"] = (item, pixels, rows, row) => {
    const picture = pictureOf(item, pixels);
    const { seed, stream, epoch, ordinal } = item.draw;
    const rng = random(seed, `crop:${stream}`, epoch, ordinal);
    const { crop = CROP, flip = 0 } = augment ?? {};
    let small =
      augment === null
        ? resize(picture, size, size, "lanczos")
        : cropResize(picture, randomCropRegion(picture.width, picture.height, crop, rng), size, size, "lanczos");
    if (augment !== null && flip > 0 && rng.uniform() < flip) small = flipHorizontal(small);
    toPlanes(small, table, rowOf<Float32Array>(rows, field, row));
  };
  return { fields: [field], encode };
}

/** `global_crops` (2, B, 3, S, S) and `local_crops` (L, B, 3, s, s): the views of each resolution. */
export function dinoFields(options: DinoOptions): Part[] {
  const sizes = [...new Set(options.views.map((view) => view.size))];
  const groups = sizes.map((size) => options.views.filter((view) => view.size === size).length);
  const twoFirst = options.views.length >= 2 && options.views[0]!.size === options.views[1]!.size;
  if (!twoFirst || sizes.length > 2 || (sizes.length === 2 && groups[0] !== 2))
    throw new ConfigError("dino batches: expected two global views and then local views of one other size");
  const fields: Field[] = [
    { name: "global_crops", dtype: "float32", shape: [3, sizes[0]!, sizes[0]!], views: groups[0] },
  ];
  if (sizes.length === 2)
    fields.push({ name: "local_crops", dtype: "float32", shape: [3, sizes[1]!, sizes[1]!], views: groups[1] });
  const encode: Part["encode"] = (item, pixels, rows, row) => {
    const { seed, stream, epoch, ordinal } = item.draw;
    const views = dinoViews(pictureOf(item, pixels), options, random(seed, `dino:${stream}`, epoch, ordinal));
    const filled = fields.map(() => 0);
    for (const [i, view] of views.entries()) {
      const group = sizes.indexOf(options.views[i]!.size);
      rowOf<Float32Array>(rows, fields[group]!, row).set(view.data, view.data.length * filled[group]!++);
    }
  };
  return [{ fields, encode }];
}

/** Throws DataError unless there is a picture. */
function pictureOf(item: BatchItem, pixels: Pixels | undefined): Pixels {
  if (pixels === undefined) throw new DataError(`${item.key}: the image is missing`);
  return pixels;
}
