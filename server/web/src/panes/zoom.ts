/** Where a picture lies on a stage: how large its pixels are, and the place of its corner. */

export interface View {
  scale: number;
  x: number;
  y: number;
}
export interface Size {
  width: number;
  height: number;
}
export interface Point {
  x: number;
  y: number;
}

const LARGEST = 64;

/** A picture in the middle of a stage. */
export const centred = (picture: Size, stage: Size, scale: number): View => ({
  scale,
  x: (stage.width - picture.width * scale) / 2,
  y: (stage.height - picture.height * scale) / 2,
});

/** The whole picture; a small one is enlarged by a whole number, so that its pixels are all alike. */
export function fitted(picture: Size, stage: Size): View {
  const most = Math.min(stage.width / picture.width, stage.height / picture.height);
  return centred(picture, stage, most >= 1 ? Math.min(Math.floor(most), LARGEST) : most);
}

/** Enlarged about a point of the stage, which stays over the same pixel; no smaller than half of what fits. */
export function zoomed(view: View, factor: number, { x, y }: Point, picture: Size, stage: Size): View {
  const least = Math.min(1, fitted(picture, stage).scale) / 2;
  const scale = Math.min(LARGEST, Math.max(least, view.scale * factor));
  const by = scale / view.scale;
  return { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
}

/** Moved, but never out of sight: a corner of 32 pixels stays. */
export function moved(view: View, by: Point, picture: Size, stage: Size, seen = 32): View {
  const within = (place: number, side: number, room: number) =>
    Math.min(room - seen, Math.max(seen - side * view.scale, place));
  return {
    ...view,
    x: within(view.x + by.x, picture.width, stage.width),
    y: within(view.y + by.y, picture.height, stage.height),
  };
}
