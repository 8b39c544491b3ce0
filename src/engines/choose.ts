/** Which wheels make up an engine on a machine. */
import { EngineError } from "../errors.ts";
import type { Engine } from "./catalogue.ts";
import { type Asking, askedPlaces, type IndexFile, projectFiles } from "./index-pages.ts";
import { compareVersions, isPrerelease, parseRequirement } from "./version.ts";
import { describeMachine, type Machine, parseWheelName, runsOn, type WheelName } from "./wheel-name.ts";

/** A wheel that will be fetched. */
export interface Wheel extends IndexFile, WheelName {}

/** What an engine is made of. */
export interface Choice {
  /** Of the engine's own package. */
  readonly version: string;
  /** Inside a folder of packages. */
  readonly library: string;
  /** The engine's own first. */
  readonly wheels: readonly Wheel[];
}

/** What may be asked for. */
export interface ChooseOptions {
  /** Of the engine's own package; unless said the newest. */
  readonly version?: string | undefined;
  /** Also what the engine needs besides. Default true. */
  readonly needs?: boolean | undefined;
  readonly machine: Machine;
}

/** Throws EngineError where there is nothing for this machine or of this version, FileError where no index answers. */
export async function chooseWheels(engine: Engine, options: ChooseOptions, asking: Asking): Promise<Choice> {
  const { version, needs = true, machine } = options;
  const lacking: string[] = [];
  for (const { name, library } of engine.packages) {
    const path = library[machine.platform];
    if (path === undefined) continue;
    const fits = (found: string): boolean => version === undefined || compareVersions(found, version) === 0;
    const own = await best(name, { fits, exact: version !== undefined, machine }, asking);
    if (typeof own === "string") lacking.push(`${name} ${own}`);
    else {
      const others = needs ? await Promise.all((engine.needs ?? []).map((text) => needed(text, machine, asking))) : [];
      return { version: own.version, library: path, wheels: [own, ...others] };
    }
  }
  const why = lacking.join("; ") || `its packages are for ${platformsOf(engine)}`;
  throw new EngineError(
    `engine ${engine.name}: nothing for ${describeMachine(machine)}${version ? ` of version ${version}` : ""}: ${why}`,
    version
      ? "leave --version out for the newest"
      : "flava engine list says which engines there are; a mirror may lack some: see PIP_INDEX_URL and pip.conf",
  );
}

const platformsOf = ({ packages }: Engine): string =>
  [...new Set(packages.flatMap(({ library }) => Object.keys(library)))].join(", ");

async function needed(requirement: string, machine: Machine, asking: Asking): Promise<Wheel> {
  const { name, fits } = parseRequirement(requirement);
  const found = await best(name, { fits, exact: false, machine }, asking);
  if (typeof found !== "string") return found;
  throw new EngineError(
    `${requirement}: nothing for ${describeMachine(machine)}: ${found}`,
    "--no-deps leaves out what the engine needs besides, for a machine that has it",
  );
}

interface Wanted {
  readonly fits: (version: string) => boolean;
  /** One version was asked for: then also one that was withdrawn or is no release. */
  readonly exact: boolean;
  readonly machine: Machine;
}

/** The newest wheel that will do, a release before any that is none; or what there is instead, in words. */
async function best(project: string, { fits, exact, machine }: Wanted, asking: Asking): Promise<Wheel | string> {
  const files = await projectFiles(project, asking);
  if (files.length === 0) return `is not in ${askedPlaces(asking.pip)}`;
  const wheels = files.flatMap((file): Wheel[] => {
    const name = parseWheelName(file.file);
    return name && (exact || !file.yanked) ? [{ ...file, ...name }] : [];
  });
  if (wheels.length === 0) return "has no wheels";
  const here = wheels.filter(({ platforms }) => platforms.some((tag) => runsOn(tag, machine)));
  if (here.length === 0) {
    const tags = new Set(
      newest(
        wheels,
        wheels.map(({ version }) => version),
      ).flatMap(({ platforms }) => platforms),
    );
    return `has wheels for ${[...tags].sort().join(", ")}`;
  }
  const fitting = here.filter(({ version }) => fits(version));
  if (fitting.length === 0) return `has ${versionsOf(here)}`;
  const releases = fitting.filter(({ version }) => !isPrerelease(version));
  return newest(
    fitting,
    (releases.length > 0 ? releases : fitting).map(({ version }) => version),
  )[0]!;
}

/** Those of the newest of some versions. */
function newest(wheels: readonly Wheel[], versions: readonly string[]): Wheel[] {
  const last = [...versions].sort(compareVersions).at(-1)!;
  return wheels.filter(({ version }) => compareVersions(version, last) === 0);
}

function versionsOf(wheels: readonly Wheel[]): string {
  const versions = [...new Set(wheels.map(({ version }) => version))].sort(compareVersions).reverse();
  return versions.length <= 8
    ? versions.join(", ")
    : `${versions.slice(0, 8).join(", ")} and ${versions.length - 8} older`;
}
