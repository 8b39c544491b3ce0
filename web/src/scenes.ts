/** Drawn scenes with captions, which need no file. */
import { drawScene, paintScene, pixels, type TabSample } from "flava/web";

/** A drawing with its caption. */
export type Scene = TabSample;

const SIDE = 32;

/** Scene `i` of a seed. */
export function sceneOf(seed: number, i: number): Scene {
  const scene = drawScene(seed, i);
  return { key: `scene ${i}`, pixels: pixels(SIDE, SIDE, paintScene(scene, SIDE, SIDE)), text: scene.caption };
}

/** The first `count` of a seed. */
export const scenes = (count: number, seed: number): Scene[] =>
  Array.from({ length: count }, (_, i) => sceneOf(seed, i));
