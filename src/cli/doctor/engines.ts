/** What computes, what decodes pictures, and what reads words. */

import { enginesFolder, pythonFolders } from "../../runtime/engine-places.ts";
import { type DeviceName, openDevice } from "../../runtime/index.ts";
import { findPlugin, type Platform, platforms } from "../../runtime/xla/find.ts";
import { bertVocabulary } from "../../text/bert-vocabulary.node.ts";
import { type Finding, failed } from "./finding.ts";

/** The engines; those that work are named by their devices, for whatever measures them. */
export async function engineFindings(): Promise<{ findings: Finding[]; devices: DeviceName[] }> {
  const [native, js] = [await engine("cpu"), await engine("cpu-js")];
  const [openvino, webgpu] = [await engine("openvino"), await engine("webgpu")];
  const plugins = await pluginFindings();
  const devices = [native, js, openvino, webgpu, ...plugins]
    .filter(({ status }) => status === "ok")
    .map(({ name }) => name as DeviceName);
  return { findings: [native, otherEngine(js), otherEngine(openvino), otherEngine(webgpu), ...plugins], devices };
}

async function engine(name: "cpu" | "cpu-js" | "openvino" | "webgpu"): Promise<Finding> {
  try {
    return { name, status: "ok", found: (await openDevice(name)).description };
  } catch (error) {
    return failed(name, "broken", error);
  }
}

/** Nobody needs the second engine where the first one works, and the first one is not replaced by it without being asked. */
const otherEngine = (js: Finding): Finding => (js.status === "ok" ? js : { ...js, status: "note" });

/** A line for each plugin that is there, and one for those that are not. */
async function pluginFindings(): Promise<Finding[]> {
  const python = await pythonFolders();
  const found = await Promise.all(platforms.map((platform) => pluginPath(platform, python)));
  const there = platforms.flatMap((platform, i): Finding[] =>
    found[i] === undefined ? [] : [{ name: `xla:${platform}`, status: "ok", found: found[i] }],
  );
  const absent = platforms.filter((_, i) => found[i] === undefined);
  if (absent.length === 0) return there;
  const help = `only for openDevice("xla:…"): a PJRT plugin in ${enginesFolder()}, see docs/xla.md`;
  return [...there, { name: "xla", status: "note", found: `no plugin for ${absent.join(", ")}`, help }];
}

const pluginPath = (platform: Platform, python: readonly string[]): Promise<string | undefined> =>
  findPlugin(platform, { python }).then(
    ({ path }) => path,
    () => undefined,
  );

/** One red pixel. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/** Decodes a picture by the code that everything else uses. */
export async function pictureFinding(): Promise<Finding> {
  const name = "pictures";
  try {
    const { decodeImage } = await import("../../image/index.ts");
    await decodeImage(Buffer.from(PNG, "base64"));
    const { default: sharp } = await import("sharp");
    return { name, status: "ok", found: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}` };
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message.split("\n")[0]}` : "";
    const finding = failed(name, "broken", error, "npm install --include=optional sharp");
    return { ...finding, found: finding.found + cause };
  }
}

export async function tokenizerFinding(): Promise<Finding> {
  const { length } = await bertVocabulary();
  return { name: "tokenizer", status: "ok", found: `bert-base-uncased, ${length} entries` };
}
