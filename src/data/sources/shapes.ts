/** Pictures of coloured shapes with captions that describe them: data of any size without a download. */
import { random } from "../../tensor/index.ts";
import type { Objects } from "./objects.ts";

const COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [214, 40, 40],
  green: [44, 160, 70],
  blue: [40, 90, 214],
  yellow: [240, 205, 40],
  orange: [245, 130, 32],
  purple: [130, 60, 180],
  pink: [245, 140, 190],
  brown: [125, 80, 45],
  black: [25, 25, 25],
  white: [245, 245, 245],
  gray: [128, 128, 128],
};

/** Whether a point with coordinates −1..1 lies inside; the shape fills the square. */
const SHAPES: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  circle: (x, y) => x * x + y * y <= 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.88,
  triangle: (x, y) => y <= 0.85 && y >= 2 * Math.abs(x) * 0.93 - 0.95,
  diamond: (x, y) => Math.abs(x) + Math.abs(y) <= 1,
  ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.3,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.3 && Math.max(Math.abs(x), Math.abs(y)) <= 0.95,
};

export const SHAPE_NAMES: readonly string[] = Object.keys(SHAPES);
const COLOUR_NAMES = Object.keys(COLOURS);
const SIZES: Readonly<Record<string, number>> = { small: 0.2, large: 0.38 };

interface Figure {
  readonly shape: string;
  readonly colour: string;
  readonly size: string;
  /** Centre and half width, as shares of the picture. */
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export interface Scene {
  readonly background: string;
  readonly figures: readonly Figure[];
  readonly caption: string;
}

/** Scene number `i`: one figure, or two side by side or one above the other. */
export function drawScene(seed: number, i: number): Scene {
  const rng = random(seed, "synthetic", i);
  const pick = (names: readonly string[]): string => names[rng.integer(names.length)]!;
  const colours = COLOUR_NAMES.slice();
  const takeColour = (): string => colours.splice(rng.integer(colours.length), 1)[0]!;
  const background = takeColour();
  if (rng.uniform() < 0.5) {
    const size = pick(Object.keys(SIZES));
    const radius = SIZES[size]!;
    const place = (): number => radius + rng.uniform() * (1 - 2 * radius);
    const one = { shape: pick(SHAPE_NAMES), colour: takeColour(), size, x: place(), y: place(), radius };
    return {
      background,
      figures: [one],
      caption: `a ${size} ${one.colour} ${one.shape} on ${a(background)} background`,
    };
  }
  const beside = rng.uniform() < 0.5;
  const figure = (at: number): Figure => {
    const across = 0.22 + 0.56 * rng.uniform();
    const shape = pick(SHAPE_NAMES);
    return {
      shape,
      colour: takeColour(),
      size: "small",
      x: beside ? at : across,
      y: beside ? across : at,
      radius: 0.2,
    };
  };
  const [one, other] = [figure(0.25), figure(0.75)];
  const relation = beside ? "to the left of" : "above";
  const caption = `${a(one.colour)} ${one.shape} ${relation} ${a(other.colour)} ${other.shape} on ${a(background)} background`;
  return { background, figures: [one, other], caption };
}

/** The figures by the numbers of their names, with the boxes that `paintScene` draws them in. */
export function objectsOf({ figures }: Scene, width: number, height: number): Objects {
  const side = Math.min(width, height);
  const box = ({ x, y, radius }: Figure): number[] => [
    ...[x, y, (2 * radius * side) / width, (2 * radius * side) / height],
  ];
  return { classes: figures.map(({ shape }) => SHAPE_NAMES.indexOf(shape)), boxes: figures.flatMap(box) };
}

/** With its article. */
const a = (word: string): string => `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;

/** The scene as RGB bytes, `width`×`height`, edges smoothed by 2×2 points a pixel. */
export function paintScene(scene: Scene, width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  const side = Math.min(width, height);
  const points = [0.25, 0.75];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const sum = [0, 0, 0];
      for (const dy of points) {
        for (const dx of points) {
          const colour =
            COLOURS[colourAt(scene, (column + dx) / width, (row + dy) / height, side / width, side / height)]!;
          for (let c = 0; c < 3; c++) sum[c]! += colour[c]!;
        }
      }
      for (let c = 0; c < 3; c++) pixels[(row * width + column) * 3 + c] = Math.round(sum[c]! / 4);
    }
  }
  return pixels;
}

function colourAt(scene: Scene, x: number, y: number, scaleX: number, scaleY: number): string {
  let colour = scene.background;
  for (const figure of scene.figures) {
    const u = (x - figure.x) / (figure.radius * scaleX);
    const v = (y - figure.y) / (figure.radius * scaleY);
    if (SHAPES[figure.shape]!(u, v)) colour = figure.colour;
  }
  return colour;
}
