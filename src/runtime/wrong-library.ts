/** Libraries that cannot be loaded here, known by their first bytes. */
import { closeSync, openSync, readSync } from "node:fs";

/** ELF's numbers of processors, by Node's names. */
const MACHINES: Readonly<Record<number, string>> = { 3: "ia32", 62: "x64", 183: "arm64", 243: "riscv64" };

/**
 * What keeps a library from loading that its bytes tell: dlopen says of one for another processor that there is no such file. Undefined where
 * they tell nothing.
 */
export function wrongLibrary(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  const head = Buffer.alloc(20);
  try {
    const file = openSync(path, "r");
    const count = readSync(file, head, 0, head.length, 0);
    closeSync(file);
    if (count < head.length || head.toString("latin1", 0, 4) !== "\x7fELF") return "it is no library of Linux";
  } catch {
    return undefined; // dlopen says why
  }
  const machine = MACHINES[head.readUInt16LE(18)] ?? `processors of ELF's number ${head.readUInt16LE(18)}`;
  return machine === process.arch ? undefined : `it is for ${machine}, this is ${process.arch}`;
}
