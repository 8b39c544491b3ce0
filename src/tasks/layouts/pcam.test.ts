import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import h5 from "h5wasm/node";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { dataRoot, read, taskOf } from "../../../test/support/task-data.ts";
import { decodeImage } from "../../image/index.ts";

const [HEIGHT, WIDTH] = [4, 6];

/** Files as PatchCamelyon's: "x" in chunks, compressed, and "y" (N, 1, 1, 1). */
async function pcamRoot(splits: Readonly<Record<string, readonly number[]>>, shape = [HEIGHT, WIDTH, 3]) {
  await h5.ready;
  const root = await temporaryFolder();
  const folder = join(root, taskOf("pcam").data.folder);
  await mkdir(folder);
  const write = (name: string, key: string, dims: number[], data: Uint8Array): void => {
    const file = new h5.File(join(folder, `camelyonpatch_level_2_split_${name}.h5`), "w");
    file.create_dataset({ name: key, data, shape: dims, dtype: "<B", chunks: [1, ...dims.slice(1)], compression: 4 });
    file.close();
  };
  for (const [split, labels] of Object.entries(splits)) {
    const size = shape.reduce((a, b) => a * b);
    const x = Uint8Array.from({ length: labels.length * size }, (_, i) => (i * 7) % 251);
    write(`${split}_x`, "x", [labels.length, ...shape], x);
    write(`${split}_y`, "y", [labels.length, 1, 1, 1], Uint8Array.from(labels));
  }
  return root;
}

describe("PatchCamelyon's HDF5 files", () => {
  it("give each picture with the name of its class; the test is the validation part", async () => {
    const labels = Array.from({ length: 70 }, (_, i) => i % 2);
    const root = await pcamRoot({ train: [1, 0], valid: labels });
    const found = await read("pcam", root, "test");
    const [healthy, tumour] = taskOf("pcam").data.classes!;
    expect(found.labels).toEqual(labels.map((label) => (label ? tumour : healthy)));
    const { width, height, data } = await decodeImage(found.samples[65]!.image!, { key: "x" });
    expect([width, height]).toEqual([WIDTH, HEIGHT]);
    const size = HEIGHT * WIDTH * 3;
    expect(Array.from(data)).toEqual(Array.from({ length: size }, (_, i) => ((65 * size + i) * 7) % 251));
    expect((await read("pcam", root, "train")).labels).toEqual([tumour, healthy]);
  });

  it("are refused with other shapes, other numbers of labels, labels out of range, and where they are none", async () => {
    const flat = await pcamRoot({ valid: [0] }, [HEIGHT, WIDTH]);
    await expect(read("pcam", flat, "test")).rejects.toThrow(
      /task pcam: .*valid_x\.h5: expected pictures .*got \(1, 4, 6\)/,
    );
    const three = await pcamRoot({ valid: [0, 1, 2] });
    await expect(read("pcam", three, "test")).rejects.toThrow(/task pcam: .*expected a label from 0 to 1, got 2/);
    const none = await dataRoot("pcam", {
      "camelyonpatch_level_2_split_valid_x.h5": "no HDF5",
      "camelyonpatch_level_2_split_valid_y.h5": "",
    });
    await expect(read("pcam", none, "test")).rejects.toThrow(
      /task pcam: .*valid_x\.h5: expected an HDF5 file with bytes in the data set x, got none/,
    );
  });
});
