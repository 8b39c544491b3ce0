/** TensorBoard's events as bytes: TFRecord frames of `Event` messages (field numbers of event.proto and summary.proto). */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { maskedCrc32c } from "./crc32c.ts";

/** A PNG picture for the images tab. */
export interface PngImage {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export type EventContent =
  | { readonly version: string }
  | { readonly scalars: Readonly<Record<string, number>> }
  | { readonly images: Readonly<Record<string, PngImage>> }
  | { readonly texts: Readonly<Record<string, string>> }
  /** Everything that earlier files of the folder hold from this step on is void: the run was resumed. */
  | { readonly restart: true };

/** One frame: length, its checksum, the event, its checksum. `wallTime` is in seconds since 1970. */
export function eventFrame(wallTime: number, step: number, content: EventContent): Uint8Array {
  const data = encodeEvent(wallTime, step, content);
  const out = new Uint8Array(16 + data.length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return out;
}

function encodeEvent(wallTime: number, step: number, content: EventContent): Uint8Array {
  const w = new BinaryWriter();
  w.tag(1, WireType.Bit64).double(wallTime);
  if (step !== 0) w.tag(2, WireType.Varint).int64(step);
  if ("version" in content) w.tag(3, WireType.LengthDelimited).string(content.version);
  else if ("restart" in content) message(w, 7, (log) => log.tag(1, WireType.Varint).int32(1));
  else message(w, 5, (summary) => writeSummary(summary, content));
  return w.finish();
}

function writeSummary(w: BinaryWriter, content: EventContent): void {
  if ("scalars" in content)
    for (const [tag, value] of Object.entries(content.scalars))
      message(w, 1, (v) => v.tag(1, WireType.LengthDelimited).string(tag).tag(2, WireType.Bit32).float(value));
  if ("images" in content)
    for (const [tag, image] of Object.entries(content.images))
      message(w, 1, (v) => {
        v.tag(1, WireType.LengthDelimited).string(tag);
        message(v, 4, (m) => writeImage(m, image));
      });
  if ("texts" in content)
    for (const [tag, text] of Object.entries(content.texts))
      message(w, 1, (v) => {
        v.tag(1, WireType.LengthDelimited).string(tag);
        message(v, 8, (m) => writeText(m, text));
        message(v, 9, (m) => message(m, 1, (plugin) => plugin.tag(1, WireType.LengthDelimited).string("text")));
      });
}

function writeImage(w: BinaryWriter, { png, width, height }: PngImage): void {
  const RGB = 3;
  w.tag(1, WireType.Varint).int32(height).tag(2, WireType.Varint).int32(width).tag(3, WireType.Varint).int32(RGB);
  w.tag(4, WireType.LengthDelimited).bytes(png);
}

/** A TensorProto of one string. */
function writeText(w: BinaryWriter, text: string): void {
  const STRING = 7;
  w.tag(1, WireType.Varint).int32(STRING);
  message(w, 2, (shape) => message(shape, 2, (axis) => axis.tag(1, WireType.Varint).int64(1)));
  w.tag(8, WireType.LengthDelimited).bytes(new TextEncoder().encode(text));
}

function message(w: BinaryWriter, field: number, write: (w: BinaryWriter) => unknown): void {
  w.tag(field, WireType.LengthDelimited).fork();
  write(w);
  w.join();
}
