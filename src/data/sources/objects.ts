/** What is in a picture and where: as people have drawn it, the targets of detection; as a detector saw it, what models of regions read. */

/** The objects of one picture. */
export interface Objects {
  /** Number of each one's class. */
  readonly classes: readonly number[];
  /** (count, 4), row-major: centre, width and height as shares of the picture. */
  readonly boxes: readonly number[];
}

/** The regions of one picture. */
export interface Regions {
  readonly count: number;
  /** (count, width). */
  readonly features: Float32Array;
  readonly width: number;
  /** (count, 4): left, top, right, bottom as shares of the picture. */
  readonly boxes: Float32Array;
  /** (count, C): how likely each class is. */
  readonly classes?: Float32Array;
  /** Names of the objects. */
  readonly tags?: readonly string[];
}
