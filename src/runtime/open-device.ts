/** Opens a device by its name. `#devices` picks the platform's table through the `imports` of package.json. */
import { checkPlatform, DEVICES } from "#devices";
import { EngineError } from "../errors.ts";
import type { Device } from "./device.ts";
import { type DeviceName, deviceNames } from "./device-names.ts";
import type { DeviceOptionsOf, OpenDevice } from "./device-options.ts";

/**
 * Opens a device. Throws EngineError when its engine is not installed, when Node is too old, or for a name that does not exist or
 * not here: there is no silent fallback.
 */
export async function openDevice<N extends DeviceName = "cpu">(
  name: N = "cpu" as N,
  options: DeviceOptionsOf[N] = {},
): Promise<Device> {
  checkPlatform();
  if (!deviceNames.includes(name))
    throw new EngineError(`device "${name}" does not exist`, `use one of ${deviceNames.join(", ")}`);
  const open = Object.hasOwn(DEVICES, name) ? (DEVICES[name] as OpenDevice<N>) : undefined;
  if (!open) throw new EngineError(`device "${name}" needs Node`, `here there is ${Object.keys(DEVICES).join(", ")}`);
  return open(options);
}
