import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { pillowGoldens } from "../../test/golden/image/pictures.ts";
import { decodePlatform } from "./decode.web.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const imports = (folder: string): unknown =>
  (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { imports: Record<string, unknown> }).imports[
    "#decode"
  ];

describe("#decode", () => {
  it("names the same pair for the sources and for the build", () => {
    expect(imports(here)).toEqual({ browser: "./decode.web.ts", default: "./decode.node.ts" });
    expect(imports(root)).toEqual({
      browser: "./dist/image/decode.web.js",
      default: "./dist/image/decode.node.js",
    });
  });

  it("decodes from the build in Node", () => {
    const { base64, rgb } = pillowGoldens().formats[0]!;
    const script = `import { decodeImage } from "./dist/image/index.js";
      import { fnv1a } from "./dist/tensor/index.js";
      console.log(fnv1a((await decodeImage(Buffer.from("${base64}", "base64"))).data));`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: root, encoding: "utf8" });
    expect(Number(out)).toBe(rgb);
  });

  it("is the browser's decoder under the browser condition, and imports nothing of Node", () => {
    const script = `const { decodeImage } = await import("./dist/image/index.js");
      globalThis.createImageBitmap = async () => { throw new Error("the browser was asked"); };
      const png = Buffer.from("${pillowGoldens().formats.find((f) => f.name === "png grey")!.base64}", "base64");
      console.log(await decodeImage(png).catch((error) => error.message));`;
    const flags = ["--conditions=browser", "--input-type=module", "-e", script];
    expect(execFileSync(process.execPath, flags, { cwd: root, encoding: "utf8" })).toContain("the browser was asked");
    for (const file of ["decode.web.ts", "decode.ts", "header.ts", "exif.ts", "bmp.ts", "netpbm.ts"])
      expect(readFileSync(join(here, file), "utf8")).not.toMatch(/from "(node:|sharp)/);
  });
});

describe("decodePlatform in a browser", () => {
  afterEach(() => vi.unstubAllGlobals());
  const options = { maxPixels: 100, applyOrientation: false, svgSize: undefined };

  it("asks for unmanaged, straight-alpha pixels and closes the bitmap", async () => {
    const asked: unknown[] = [];
    const close = vi.fn();
    vi.stubGlobal("createImageBitmap", async (blob: Blob, settings: unknown) => {
      asked.push(blob.type, blob.size, settings);
      return { width: 2, height: 1, close };
    });
    vi.stubGlobal(
      "OffscreenCanvas",
      class {
        getContext(): unknown {
          return {
            drawImage: vi.fn(),
            getImageData: () => ({ data: Uint8ClampedArray.of(1, 2, 3, 255, 4, 5, 6, 255) }),
          };
        }
      },
    );
    const decoded = await decodePlatform(new Uint8Array(9), { format: "png", width: 2, height: 1 }, options);
    expect(decoded).toEqual({ width: 2, height: 1, layout: "rgba", data: Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255) });
    expect(asked).toEqual(["image/png", 9, { premultiplyAlpha: "none", colorSpaceConversion: "none" }]);
    expect(close).toHaveBeenCalledOnce();
  });

  it("refuses what it cannot measure first", async () => {
    await expect(decodePlatform(new Uint8Array(9), { format: "svg" }, options)).rejects.toThrow(
      "cannot be decoded in a browser",
    );
  });
});
