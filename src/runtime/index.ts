export { type CompileOptions, compile, type Executable } from "./compile.ts";
export { type Device, type DeviceName, type DeviceOptions, deviceNames, openDevice } from "./device.ts";
export type { Buffer, PortInfo, Session, SessionOptions } from "./session.ts";
export { State } from "./state.ts";
