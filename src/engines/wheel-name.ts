/** Names of wheels, and whether their libraries run on a machine (PyPA's binary distribution format; PEP 600, PEP 656). */
import { release } from "node:os";
import { isVersion } from "./version.ts";

/** What a wheel's file name says. */
export interface WheelName {
  /** Normalised: `jax-cuda13-pjrt`. */
  readonly project: string;
  readonly version: string;
  /** `manylinux_2_27_x86_64`; several where one file serves several. */
  readonly platforms: readonly string[];
}

/** PEP 503: how names of projects are compared. */
export const normalName = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, "-");

/** Undefined for what is no wheel. */
export function parseWheelName(file: string): WheelName | undefined {
  if (!/^[\w.!+-]+\.whl$/.test(file)) return undefined;
  const parts = file.slice(0, -".whl".length).split("-");
  if (parts.length !== 5 && parts.length !== 6) return undefined;
  const [project, version] = [normalName(parts[0]!), parts[1]!.replaceAll("_", "+")];
  return isVersion(version) ? { project, version, platforms: parts.at(-1)!.split(".") } : undefined;
}

/** What decides which wheels run here. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Of the C library: "2.36"; undefined with musl, and where there is none. */
  readonly glibc?: string | undefined;
  /** Of macOS: "14.0". */
  readonly macos?: string | undefined;
}

/** This one. */
export function thisMachine(): Machine {
  const { platform, arch } = process;
  if (platform === "darwin") return { platform, arch, macos: macosOf(release()) };
  if (platform !== "linux") return { platform, arch };
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return { platform, arch, glibc: header.glibcVersionRuntime };
}

/** Darwin 20 is macOS 11, 24 is 15, and 25 is 26. */
function macosOf(kernel: string): string {
  const major = Number(kernel.split(".")[0]);
  return `${major >= 25 ? major + 1 : major - 9}.0`;
}

const ARCHES: Readonly<Record<string, readonly string[]>> = {
  "linux-x64": ["x86_64"],
  "linux-arm64": ["aarch64"],
  "darwin-x64": ["x86_64", "universal2"],
  "darwin-arm64": ["arm64", "universal2"],
  "win32-x64": ["amd64"],
  "win32-arm64": ["arm64"],
};

/** The older names of manylinux, with the C library that each asks for. */
const OLD_LINUX: Readonly<Record<string, string>> = { manylinux1: "2.5", manylinux2010: "2.12", manylinux2014: "2.17" };

const TAG = /^(manylinux1|manylinux2010|manylinux2014|(?:manylinux|musllinux|macosx)_\d+_\d+|linux|win)_(\w+)$/;

/** Whether libraries of a platform tag run there. */
export function runsOn(tag: string, { platform, arch, glibc, macos }: Machine): boolean {
  const [, system, cpu] = TAG.exec(tag) ?? [];
  if (system === undefined || !ARCHES[`${platform}-${arch}`]?.includes(cpu!)) return false;
  const [kind, major, minor] = system.split("_");
  const least = OLD_LINUX[kind!] ?? `${major}.${minor}`;
  if (platform === "win32") return kind === "win";
  if (platform === "darwin") return kind === "macosx" && macos !== undefined && isAtLeast(macos, least);
  if (kind === "linux") return true;
  if (glibc === undefined) return kind === "musllinux";
  return kind!.startsWith("manylinux") && isAtLeast(glibc, least);
}

function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split(".").map(Number));
  return a![0]! !== b![0]! ? a![0]! > b![0]! : a![1]! >= b![1]!;
}

/** A machine in words: `linux-x64 with glibc 2.36`. */
export function describeMachine({ platform, arch, glibc, macos }: Machine): string {
  const system = platform === "linux" ? ` with ${glibc ? `glibc ${glibc}` : "musl"}` : macos ? `, macOS ${macos}` : "";
  return `${platform}-${arch}${system}`;
}
