import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { openDevice } from "./index.ts";
import { wrongLibrary } from "./wrong-library.ts";

describe.skipIf(process.platform !== "linux")("wrongLibrary", () => {
  it("knows libraries for other processors, and files that are none, and the devices say so", async () => {
    const folder = await temporaryFolder();
    const write = (name: string, machine: number | undefined): string => {
      const path = join(folder, name);
      const head = Buffer.alloc(64);
      head.write("\x7fELF\x02\x01\x01", "latin1");
      if (machine !== undefined) head.writeUInt16LE(machine, 18);
      writeFileSync(path, machine === undefined ? "hello" : head);
      return path;
    };
    const [other, number] = process.arch === "arm64" ? ["x64", 62] : ["arm64", 183];
    expect(wrongLibrary(write("other.so", number))).toBe(`it is for ${other}, this is ${process.arch}`);
    expect(wrongLibrary(write("text.so", undefined))).toBe("it is no library of Linux");
    expect(wrongLibrary(write("mips.so", 8))).toMatch(/ELF's number 8/);
    expect(wrongLibrary(process.execPath)).toBeUndefined();
    expect(wrongLibrary(join(folder, "none.so"))).toBeUndefined();
    const path = join(folder, "other.so");
    const opened = (device: Promise<unknown>) => expect(device).rejects.toThrow(`it is for ${other}, this is`);
    await opened(openDevice("xla:cpu", { library: path, trial: false }));
    await opened(openDevice("cpu", { library: path }));
    await opened(openDevice("openvino", { provider: path }));
    await expect(openDevice("openvino", { provider: join(folder, "none.so") })).rejects.toThrow(
      /there is no provider at/,
    );
  });
});
