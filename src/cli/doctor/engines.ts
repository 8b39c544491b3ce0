/** What computes, what decodes pictures, and what reads words. */
import { type EngineStatus, listEngines } from "../../engines/index.ts";
import { type DeviceName, deviceNames, openDevice } from "../../runtime/index.ts";
import { bertVocabulary } from "../../text/bert-vocabulary.node.ts";
import { type Finding, failed } from "./finding.ts";

/** The engines; those that work are named by their devices, for whatever measures them. */
export async function engineFindings(): Promise<{ findings: Finding[]; devices: DeviceName[] }> {
  const [native, js, webgpu] = [await engine("cpu"), await engine("cpu-js"), await engine("webgpu")];
  const others = await otherFindings(await listEngines());
  const all = [native, otherEngine(js), otherEngine(webgpu), ...others];
  const devices = all.filter(({ status }) => status === "ok").map(({ name }) => name as DeviceName);
  return { findings: all, devices };
}

async function engine(name: DeviceName): Promise<Finding> {
  try {
    return { name, status: "ok", found: (await openDevice(name)).description };
  } catch (error) {
    return failed(name, "broken", error);
  }
}

/** Nobody needs the second engine where the first one works, and the first one is not replaced by it without being asked. */
const otherEngine = (js: Finding): Finding => (js.status === "ok" ? js : { ...js, status: "note" });

/** A line for each device of an engine that npm does not bring: opened where it is here, else how it is had. */
async function otherFindings(all: readonly EngineStatus[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of deviceNames) {
    const engines = all.filter(({ device, offered }) => device === name && offered);
    const [one] = engines.filter(({ installed }) => installed.length > 0);
    if (one) {
      const here = one.installed[0]!;
      const finding = await engine(name);
      const place = `${here.package} ${here.version ?? "(version unknown)"} in ${here.folder}`;
      const help = here.damage === undefined ? finding.help : `damaged, ${here.damage}: flava engine add ${one.name}`;
      findings.push({ ...otherEngine(finding), found: `${finding.found}; ${place}`, help });
    } else if (engines.length > 0) {
      const add = engines.map((one) => `flava engine add ${one.name}`).join(", or ");
      findings.push({ name, status: "note", found: `not here, not needed; skipped: ${add}` });
    }
  }
  return findings;
}

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
