export { type CompileOptions, compile, type Executable } from "./compile.ts";
export type { Device, DeviceOptions, Prepared, Task } from "./device.ts";
export { bfloat16Devices, type DeviceName, deviceNames } from "./device-names.ts";
export type { DeviceOptionsOf } from "./device-options.ts";
export { openDevice } from "./open-device.ts";
export type { Buffer, PortInfo, RunOptions, Session, SessionOptions, Want } from "./session.ts";
export { State } from "./state.ts";
