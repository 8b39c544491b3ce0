/** What is in a picture and where, as people have drawn it: the targets of detection. */

/** The objects of one picture. */
export interface Objects {
  /** Number of each one's class. */
  readonly classes: readonly number[];
  /** (count, 4), row-major: centre, width and height as shares of the picture. */
  readonly boxes: readonly number[];
}
