/** The device `webgpu` of Node for tests: on SwiftShader, the GPU of software that Chromium brings; a line that says so where there is none. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../src/errors.ts";
import { importKoffi, pin } from "../../src/koffi.ts";
import { type Device, type DeviceOptionsOf, openDevice } from "../../src/runtime/index.ts";

const FOLDERS = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
const found = (name: string): string | undefined => FOLDERS.map((folder) => join(folder, name)).find(existsSync);

/** The description of SwiftShader's driver for Vulkan, or undefined. */
export const swiftShader: string | undefined = found("vk_swiftshader_icd.json");

/** What a process needs to find a driver, and Chromium's loader of Vulkan where the system has none. */
export const driverEnv = (description: string): Record<string, string> => ({
  VK_ICD_FILENAMES: description,
  LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, ...FOLDERS.filter(existsSync)].filter(Boolean).join(":"),
});

/** The same for this process. */
export async function useDriver(description: string): Promise<void> {
  process.env.VK_ICD_FILENAMES = description;
  const koffi = await importKoffi("test");
  if (!pin(koffi, "libvulkan.so.1")) pin(koffi, found("libvulkan.so.1") ?? "none", { global: true });
}

/** Opens the device on SwiftShader. Undefined, and one line on the screen, without one. */
export async function openWebGpu(options: DeviceOptionsOf["webgpu"] = {}): Promise<Device | undefined> {
  if (!swiftShader) {
    console.warn("skipped: there is no GPU of software here (apt-get install chromium-common brings one)");
    return undefined;
  }
  await useDriver(swiftShader);
  return openDevice("webgpu", { threads: 1, ...options }).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    console.warn(`skipped: ${error.message}`);
    return undefined;
  });
}

/** Refuses every graph of which one operator would run on the processor. */
export const ALONE: DeviceOptionsOf["webgpu"] = { session: { config: { "session.disable_cpu_ep_fallback": "1" } } };

const SOURCE = fileURLToPath(new URL("lossy-driver.c", import.meta.url));

/**
 * Makes a driver that is SwiftShader's until `file` exists, and then loses the device; `env` is what a process needs to use it.
 * Undefined, and one line on the screen, without SwiftShader or a C compiler.
 */
export function lossyDriver(
  folder: string,
): { description: string; file: string; env: Record<string, string> } | undefined {
  const library = join(folder, "lossy.so");
  const cc = spawnSync("cc", ["-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], { encoding: "utf8" });
  if (!swiftShader || cc.status !== 0) {
    console.warn(`skipped: a driver that loses its GPU needs SwiftShader and cc: ${cc.error?.message ?? cc.stderr}`);
    return undefined;
  }
  const real = JSON.parse(readFileSync(swiftShader, "utf8")) as { ICD: { library_path: string } };
  const description = join(folder, "lossy.json");
  const ICD = { ...real.ICD, library_path: library };
  writeFileSync(description, JSON.stringify({ ...real, ICD }));
  const file = join(folder, "lost");
  const at = resolve(dirname(swiftShader), real.ICD.library_path);
  return { description, file, env: { ...driverEnv(description), LOSSY_REAL: at, LOSSY_FILE: file } };
}
