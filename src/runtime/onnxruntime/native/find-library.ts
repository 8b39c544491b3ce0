/**
 * Finds the ONNX Runtime library. npm packages carry it: onnxruntime-node, for every platform (288 MB, and an install script
 * that fails where only the registry can be reached), and sherpa-onnx-PLATFORM, for one (32 MB, no script), which is what
 * installing flava brings (docs/decisions.md).
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EngineError } from "../../../errors.ts";
import { API_VERSION } from "./api.ts";

const FILES: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/,
};

/** Platforms for which there is a sherpa-onnx package, and its name. */
const SHERPA: Readonly<Record<string, string>> = {
  "linux-x64": "sherpa-onnx-linux-x64",
  "linux-arm64": "sherpa-onnx-linux-arm64",
  "darwin-x64": "sherpa-onnx-darwin-x64",
  "darwin-arm64": "sherpa-onnx-darwin-arm64",
  "win32-x64": "sherpa-onnx-win-x64",
};

export interface Place {
  readonly platform: string;
  readonly arch: string;
  /** The folder of an installed package, or undefined. */
  readonly folderOf: (name: string) => string | undefined;
}

const HERE: Place = {
  platform: process.platform,
  arch: process.arch,
  folderOf: (name) => {
    try {
      return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    } catch {
      return undefined;
    }
  },
};

/** The path of the library for this platform. Throws EngineError that says what to install. */
export function findLibrary(place: Partial<Place> = {}): string {
  const { platform, arch, folderOf } = { ...HERE, ...place };
  const sherpa = SHERPA[`${platform}-${arch}`];
  const own = folderOf("onnxruntime-node");
  const folders = own !== undefined && isRecent(own) ? nodeFolders(own, platform, arch) : [];
  const light = sherpa === undefined ? undefined : folderOf(sherpa);
  if (light !== undefined) folders.push(light);
  for (const folder of folders) {
    if (!existsSync(folder)) continue;
    const file = readdirSync(folder).find((name) => FILES[platform]?.test(name));
    if (file !== undefined) return join(folder, file);
  }
  throw missing({ platform, arch, folders, sherpa });
}

/** Where onnxruntime-node keeps the library: one folder for each version of Node's binary interface. */
function nodeFolders(root: string, platform: string, arch: string): string[] {
  const bin = join(root, "bin");
  return existsSync(bin) ? readdirSync(bin).map((abi) => join(bin, abi, platform, arch)) : [];
}

/** Whether an onnxruntime-node, which another package may have brought, is one that the C calls here know. */
function isRecent(root: string): boolean {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const [major, minor] = version.split(".").map(Number) as [number, number];
  return major > 1 || minor >= API_VERSION;
}

interface Missing extends Pick<Place, "platform" | "arch"> {
  readonly folders: readonly string[];
  readonly sherpa: string | undefined;
}

function missing({ platform, arch, folders, sherpa }: Missing): EngineError {
  const looked = folders.length > 0 ? `; looked in ${folders.join(", ")}` : "";
  if (sherpa !== undefined)
    return new EngineError(
      `cpu: no library of ONNX Runtime is installed for ${platform}-${arch}${looked}`,
      `npm install ${sherpa}`,
    );
  return new EngineError(
    `cpu: no npm package has the library of ONNX Runtime for ${platform}-${arch}${looked}`,
    `there is one for ${Object.keys(SHERPA).join(", ")}; elsewhere give the path of a library as option \`library\``,
  );
}
