/** `flava engine list`: which engines there are, and which of them are on this computer. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Engine, type EnginePackage, engines } from "./catalogue.ts";
import { bytesOf, damageOf, readManifest } from "./manifest.ts";
import { enginesFolder, type FindOptions, pythonFolders, subfolders } from "./places.ts";
import { isWanted } from "./unpack.ts";
import { normalName } from "./wheel-name.ts";

/** An engine on this computer. */
export interface InstalledEngine {
  /** `cache`: in the folder of engines; `python`: among the packages of a Python. */
  readonly where: "cache" | "python";
  readonly folder: string;
  /** The library that is loaded. */
  readonly library: string;
  readonly package: string;
  /** Undefined where nothing says it. */
  readonly version: string | undefined;
  /** Of libraries and licences. */
  readonly bytes: number;
  /** Whether `add` has made it, so that `remove` takes it away. */
  readonly added: boolean;
  /** What is not as it was unpacked. */
  readonly damage: string | undefined;
}

/** An engine, and where it is. */
export interface EngineStatus extends Engine {
  /** Whether there is a package of it for this system. */
  readonly offered: boolean;
  /** The one that is used first. */
  readonly installed: readonly InstalledEngine[];
}

/** All engines of the table. Nothing is fetched. */
export async function listEngines({
  engines: root = enginesFolder(),
  python,
}: FindOptions = {}): Promise<EngineStatus[]> {
  const cache = [root, ...subfolders(root)].map((folder) => ({ where: "cache" as const, folder }));
  const pythons = (python ?? (await pythonFolders())).map((folder) => ({ where: "python" as const, folder }));
  const places = [...cache, ...pythons];
  return Promise.all(
    engines.map(async (engine) => {
      const offered = engine.packages.some(({ library }) => library[process.platform] !== undefined);
      const found = await Promise.all(places.flatMap((place) => engine.packages.map((one) => installedAt(place, one))));
      return { ...engine, offered, installed: found.filter((one) => one !== undefined) };
    }),
  );
}

type Place = Pick<InstalledEngine, "where" | "folder">;

async function installedAt({ where, folder }: Place, one: EnginePackage): Promise<InstalledEngine | undefined> {
  const file = one.library[process.platform];
  if (file === undefined) return undefined;
  const library = join(folder, file);
  const manifest = readManifest(folder);
  const common = { where, folder, library, package: one.name };
  if (manifest?.library === file)
    return {
      ...common,
      version: manifest.version,
      bytes: bytesOf(manifest),
      added: true,
      damage: await damageOf(folder, manifest),
    };
  if (!existsSync(library)) return undefined;
  const info = distInfo(folder, one.name);
  const bytes = info ? await recordedBytes(folder, info) : (await stat(library)).size;
  return { ...common, version: info && versionIn(info), bytes, added: false, damage: undefined };
}

/** `lammps_jax_pjrt_cpu-0.11.2.dist-info`, beside the package. */
const distInfo = (folder: string, name: string): string | undefined =>
  readdirSync(folder).find((entry) => {
    const [, project] = /^(.+)-[^-]+\.dist-info$/.exec(entry) ?? [];
    return project !== undefined && normalName(project) === normalName(name);
  });

const versionIn = (info: string): string => /-([^-]+)\.dist-info$/.exec(info)![1]!;

/** Sizes as the package's RECORD has them. */
async function recordedBytes(folder: string, info: string): Promise<number> {
  try {
    const lines = readFileSync(join(folder, info, "RECORD"), "utf8").matchAll(/^"?([^,"]+)"?,[^,]*,(\d+)\r?$/gm);
    return [...lines].reduce((sum, [, path, bytes]) => sum + (isWanted(path!) ? Number(bytes) : 0), 0);
  } catch {
    return 0;
  }
}
