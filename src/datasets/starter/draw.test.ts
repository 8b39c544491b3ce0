import sharp, { type OutputInfo } from "sharp";
import { describe, expect, it } from "vitest";
import { iconifyStyle, slugOf } from "./art.ts";
import { drawAll, drawPng } from "./draw.ts";
import { encodePng } from "./png.ts";
import type { PackageFiles } from "./tarball.ts";

const pixelsOf = (png: Uint8Array): Promise<{ data: Buffer; info: OutputInfo }> =>
  sharp(png).raw().toBuffer({ resolveWithObject: true });

/** The RGB pixel at (x, y) of a drawn picture. */
async function drawn(svg: string, x: number, y: number, size = 20): Promise<number[]> {
  const { data, info } = await pixelsOf(await drawPng({ svg }, size, "test"));
  expect([info.width, info.height, info.channels]).toEqual([size, size, 3]);
  return Array.from(data.subarray((y * size + x) * 3, (y * size + x) * 3 + 3));
}

describe("encodePng", () => {
  it.each([1, 3] as const)("is read back by libpng value for value, with %i channels", async (channels) => {
    const values = Uint8Array.from({ length: 7 * 5 * channels }, (_, i) => (i * 37) % 256);
    const { data, info } = await sharp(encodePng(values, 7, 5, channels))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([7, 5]);
    const back = info.channels === channels ? data : data.filter((_, i) => i % info.channels === 0);
    expect(Array.from(back)).toEqual(Array.from(values));
  });
});

describe("drawPng", () => {
  const RED = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 5"><rect width="10" height="5" fill="#f00"/></svg>`;

  it("keeps proportions: a wide picture is centred on white", async () => {
    expect(await drawn(RED, 10, 10)).toEqual([255, 0, 0]);
    expect(await drawn(RED, 10, 2)).toEqual([255, 255, 255]);
    expect(await drawn(RED, 10, 17)).toEqual([255, 255, 255]);
  });

  it("keeps margins, a viewBox that starts elsewhere, and sizes without a viewBox", async () => {
    const shifted = RED.replace("0 0 10 5", "-10 -10 20 20");
    expect(await drawn(shifted, 15, 12)).toEqual([255, 0, 0]);
    expect(await drawn(shifted, 5, 5)).toEqual([255, 255, 255]);
    const sized = RED.replace('viewBox="0 0 10 5"', 'width="10px" height="10"');
    expect(await drawn(sized, 15, 5)).toEqual([255, 0, 0]);
    expect(await drawn(sized, 15, 15)).toEqual([255, 255, 255]);
  });

  it("puts half-transparent colour on white", async () => {
    const half = RED.replace('fill="#f00"', 'fill="#f00" fill-opacity="0.5"');
    const [r, g, b] = await drawn(half, 10, 10);
    expect(r).toBe(255);
    expect(Math.abs(g! - 127.5)).toBeLessThan(1.6);
    expect(b).toBe(g);
  });

  it("draws raster images on white too, and says what it cannot draw", async () => {
    const clear = await sharp({
      create: { width: 8, height: 4, channels: 4, background: { r: 0, g: 0, b: 255, alpha: 1 } },
    })
      .webp({ lossless: true })
      .toBuffer();
    const { data, info } = await pixelsOf(await drawPng({ bytes: clear }, 16, "test"));
    expect([info.width, info.height, info.channels]).toEqual([16, 16, 3]);
    expect(Array.from(data.subarray((8 * 16 + 8) * 3, (8 * 16 + 8) * 3 + 3))).toEqual([0, 0, 255]);
    expect(Array.from(data.subarray(0, 3))).toEqual([255, 255, 255]);
    await expect(drawPng({ bytes: new Uint8Array([1, 2]) }, 16, "noto-1")).rejects.toThrow(
      /noto-1: expected a picture/,
    );
    await expect(drawPng({ svg: "not svg" }, 16, "noto-2")).rejects.toThrow(/noto-2: expected a picture, got no <svg>/);
  });
});

describe("drawAll", () => {
  it("keeps the order, stops when told, and leaves sharp's threads as they were", async () => {
    const before = sharp.concurrency();
    expect(await drawAll([3, 1, 2], async (x) => x * 2)).toEqual([6, 2, 4]);
    const controller = new AbortController();
    const slow = drawAll(
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
      async (x) => {
        if (x === 2) controller.abort();
      },
      controller.signal,
    );
    await expect(slow).rejects.toThrow(/abort/i);
    expect(sharp.concurrency()).toBe(before);
  });
});

describe("iconifyStyle", () => {
  const pack: PackageFiles = {
    name: "icons",
    files: new Map(
      Object.entries({
        "icons.json": {
          width: 10,
          height: 10,
          icons: {
            "left-hand": { body: '<path fill="currentColor" d="M0 0h2v2z"/>' },
            "womans-hat": { body: "<g/>", left: 1, top: 2, width: 3, height: 4 },
          },
          aliases: { "right-hand": { parent: "left-hand", hFlip: true }, turned: { parent: "left-hand", rotate: 1 } },
        },
        "chars.json": { "1faf1": "right-hand", "1f44e-fe0f": "turned", "1f44f": "constructor" },
      }).map(([path, json]) => [path, new TextEncoder().encode(JSON.stringify(json))]),
    ),
  };
  const concept = { tags: [], group: "", subgroup: "", aliases: [], skins: [], family: "" };
  const style = iconifyStyle("test", pack, [{ ...concept, id: "1f452", label: "woman’s hat" }]);
  const svg = (id: string): string | undefined => (style.art(id) as { svg: string } | undefined)?.svg;

  it("finds icons by character, mirrors aliases, and colours what has no colour black", () => {
    expect(svg("1faf1")).toContain('<g transform="translate(10 0) scale(-1 1)"><path fill="#000"');
  });

  it("finds icons by label, with their own frame", () => {
    expect(svg("1f452")).toContain('viewBox="1 2 3 4"');
    expect(slugOf("Piñata: “here” & there!")).toBe("pinata-here-there");
  });

  it("has nothing for unknown, turned, or inherited names", () => {
    expect([svg("1f600"), svg("1f44e"), svg("1f44f")]).toEqual([undefined, undefined, undefined]);
  });
});
