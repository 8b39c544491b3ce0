/** What `flava engine` prints. */
import {
  type AddProgress,
  addEngine,
  bytesOf,
  type EngineStatus,
  enginesFolder,
  type InstalledEngine,
  listEngines,
  planEngine,
  removeEngine,
} from "../engines/index.ts";
import { FileError } from "../errors.ts";
import { Cancelled, type Io } from "./command.ts";
import { formatBytes, type Progress } from "./progress.ts";

interface AddOptions {
  readonly version?: string;
  /** Of `--no-deps`. */
  readonly deps?: boolean;
  readonly indexUrl?: string;
  readonly dryRun?: boolean;
}

export async function list(io: Io): Promise<void> {
  const found = await listEngines();
  const lines = found.flatMap((engine) => [`${engine.name.padEnd(11)} ${engine.about}`, ...statusLines(engine)]);
  io.result([...lines, "", `folder: ${enginesFolder()}`].join("\n"), { folder: enginesFolder(), engines: found });
}

function statusLines({ name, device, offered, installed, asks }: EngineStatus): string[] {
  const line = (text: string): string => `${"".padEnd(12)}${text}`;
  if (installed.length > 0)
    return installed.map((one, i) => line(`${i === 0 ? `--device ${device}: ` : "also "}${placeOf(one)}`));
  if (!offered) return [line(`nothing for ${process.platform}-${process.arch}`)];
  return [line(`not here: flava engine add ${name}${asks ? `; needs ${asks}` : ""}`)];
}

function placeOf({ package: name, version, bytes, folder, where, added, damage }: InstalledEngine): string {
  const what = `${name} ${version ?? "(version unknown)"}, ${formatBytes(bytes)}, ${folder}`;
  const how = where === "python" ? " (Python)" : added ? "" : " (not by engine add)";
  return `${what}${how}${damage === undefined ? "" : `; damaged: ${damage}`}`;
}

export async function add(io: Io, name: string, { version, deps, indexUrl, dryRun }: AddOptions): Promise<void> {
  const options = { version, needs: deps, indexUrl, signal: io.signal, note: (line: string) => io.note(line) };
  if (dryRun) return plan(io, name, options);
  const { note } = io;
  const progress = new Lines(io);
  try {
    const { folder, manifest, wasThere, replaced } = await addEngine(name, { ...options, onProgress: progress.show });
    progress.end();
    for (const other of replaced) note(`removed ${other}`);
    const size = formatBytes(bytesOf(manifest));
    const text = wasThere ? `${folder}: there already, whole, ${size}` : `${folder}: ${manifest.version}, ${size}`;
    io.result(`${text}; use it with --device ${manifest.device}`, { folder, wasThere, replaced, ...manifest });
  } catch (error) {
    if (!(io.signal.reason instanceof Cancelled)) throw error;
    progress.end();
    throw new Cancelled(
      io.signal.reason.signal,
      "cancelled; what has come is kept: the same command goes on from there",
    );
  } finally {
    progress.end();
  }
}

async function plan(io: Io, name: string, options: Parameters<typeof planEngine>[1]): Promise<void> {
  const { choice, folder } = await planEngine(name, options);
  const wheels = choice.wheels.map(({ project, version, file, size, sha256, address }) => ({
    package: project,
    version,
    file,
    bytes: size ?? null,
    sha256: sha256 ?? null,
    url: address.url,
  }));
  const lines = wheels.map(({ file, bytes }) => `${(bytes === null ? "?" : formatBytes(bytes)).padStart(8)}  ${file}`);
  const total = wheels.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  const last = `${formatBytes(total).padStart(8)}  to fetch, for ${folder}; nothing was fetched`;
  io.result([...lines, last].join("\n"), {
    folder,
    version: choice.version,
    library: choice.library,
    bytes: total,
    wheels,
  });
}

export async function remove(io: Io, name: string, { version }: { version?: string }): Promise<void> {
  const removed = await removeEngine(name, { version, signal: io.signal, note: (line) => io.note(line) });
  if (removed.length === 0) {
    const others = (await listEngines()).find((engine) => engine.name === name)?.installed ?? [];
    const where = others.map(({ folder }) => folder).join(", ");
    throw new FileError(
      `engine ${name}${version ? ` ${version}` : ""}: nothing of it in ${enginesFolder()} that engine add has made`,
      where ? `it is in ${where}: whatever put it there removes it` : undefined,
    );
  }
  const lines = removed.map(
    ({ folder, bytes, kept }) =>
      `removed ${folder}: ${formatBytes(bytes)}${kept.length > 0 ? `; kept what engine add had not made: ${kept.join(", ")}` : ""}`,
  );
  io.result(lines.join("\n"), { removed });
}

const MIB = 2 ** 20;

/** A progress line for each file, first of its download, then of its unpacking. */
class Lines {
  readonly #io: Io;
  #line: Progress | undefined;
  #shown = "";

  constructor(io: Io) {
    this.#io = io;
  }

  readonly show = ({ stage, file, done, total }: AddProgress): void => {
    const label = `${stage}ing ${file}`;
    if (label !== this.#shown) {
      this.end();
      this.#shown = label;
      this.#line = this.#io.progress({
        label,
        unit: "MiB",
        total: total / MIB,
        start: stage === "download" ? done / MIB : 0,
      });
    }
    this.#line?.update(done / MIB);
  };

  end(): void {
    this.#line?.end();
    this.#line = undefined;
  }
}
