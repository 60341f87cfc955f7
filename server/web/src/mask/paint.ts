/** A mask as it is painted: how much of each pixel is to change. Knows no browser. */

export interface Point {
  readonly x: number;
  readonly y: number;
}
/** Pixels from a corner on; the right and lower ends are outside. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}
export interface Brush {
  /** Of the brush, in pixels. */
  readonly radius: number;
  /** The share of the radius over which the edge is soft, 0 to 1. */
  readonly feather: number;
  readonly erase: boolean;
}

interface Step {
  area: Area;
  /** What the area held at the other side of this step. */
  values: Uint8ClampedArray;
}

/** The longer side of a mask: a larger picture is painted in less detail. */
export const LONGEST = 2_048;
/** Bytes of steps that can be undone. */
const REMEMBERED = 64 * 2 ** 20;
/** The thinnest line still meets the middle of a pixel. */
const THINNEST = 0.75;

/** The size of the mask of a picture. */
export function sizeFor(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** The next size of a brush, a quarter more or less, by a pixel at least. */
export function resized(diameter: number, up: boolean, most: number): number {
  const wanted = up ? Math.max(diameter + 1, diameter * 1.25) : Math.min(diameter - 1, diameter / 1.25);
  return Math.min(most, Math.max(1, Math.round(wanted)));
}

export class Mask {
  /** 0 stays as it is, 255 changes; [height, width] row by row. */
  readonly values: Uint8ClampedArray;
  private stroke: { before: Uint8ClampedArray; area: Area | null } | null = null;
  private done: Step[] = [];
  private undone: Step[] = [];

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.values = new Uint8ClampedArray(width * height);
  }

  get whole(): Area {
    return { left: 0, top: 0, right: this.width, bottom: this.height };
  }
  get canUndo(): boolean {
    return this.done.length > 0;
  }
  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** The share of the picture that changes, 0 to 1. */
  get share(): number {
    let sum = 0;
    for (const value of this.values) sum += value;
    return sum / 255 / this.values.length;
  }

  begin(): void {
    this.stroke = { before: this.values.slice(), area: null };
  }

  /** Draw a line, or a dab where both ends are one. Returns what changed; null for nothing. */
  line(from: Point, to: Point, brush: Brush): Area | null {
    const radius = Math.max(brush.radius, THINNEST);
    const area = this.within({
      left: Math.floor(Math.min(from.x, to.x) - radius),
      top: Math.floor(Math.min(from.y, to.y) - radius),
      right: Math.ceil(Math.max(from.x, to.x) + radius),
      bottom: Math.ceil(Math.max(from.y, to.y) + radius),
    });
    if (!area) return null;
    for (let y = area.top; y < area.bottom; y++) {
      for (let x = area.left; x < area.right; x++) {
        const strength = 255 * covered(distance({ x: x + 0.5, y: y + 0.5 }, from, to), radius, brush.feather);
        const at = y * this.width + x;
        const now = this.values[at]!;
        this.values[at] = brush.erase ? Math.min(now, 255 - strength) : Math.max(now, strength);
      }
    }
    if (this.stroke) this.stroke.area = joined(this.stroke.area, area);
    return area;
  }

  /** The stroke is one step of the history. */
  end(): void {
    const { stroke } = this;
    this.stroke = null;
    if (!stroke?.area) return;
    this.undone = [];
    this.done.push({ area: stroke.area, values: cut(stroke.before, this.width, stroke.area) });
    let bytes = this.done.reduce((sum, step) => sum + step.values.length, 0);
    while (bytes > REMEMBERED && this.done.length > 1) bytes -= this.done.shift()!.values.length;
  }

  /** Take a stroke back that was begun, as when a second finger comes. */
  dropStroke(): Area | null {
    const { stroke } = this;
    this.stroke = null;
    if (!stroke?.area) return null;
    this.values.set(stroke.before);
    return stroke.area;
  }

  /** Change all values as one step. */
  change(to: (value: number) => number): void {
    this.begin();
    for (let at = 0; at < this.values.length; at++) this.values[at] = to(this.values[at]!);
    this.stroke!.area = this.whole;
    this.end();
  }

  undo(): Area | null {
    return this.swap(this.done, this.undone);
  }
  redo(): Area | null {
    return this.swap(this.undone, this.done);
  }

  private swap(from: Step[], to: Step[]): Area | null {
    const step = from.pop();
    if (!step) return null;
    const values = cut(this.values, this.width, step.area);
    paste(this.values, this.width, step);
    to.push({ area: step.area, values });
    return step.area;
  }

  private within(area: Area): Area | null {
    const found = {
      left: Math.max(0, area.left),
      top: Math.max(0, area.top),
      right: Math.min(this.width, area.right),
      bottom: Math.min(this.height, area.bottom),
    };
    return found.left < found.right && found.top < found.bottom ? found : null;
  }

  /** RGBA of the file: white (1) is known and stays, black is made anew. The other way round than one paints. */
  toFile(): Uint8ClampedArray<ArrayBuffer> {
    const pixels = new Uint8ClampedArray(this.values.length * 4);
    for (let at = 0; at < this.values.length; at++) {
      pixels.fill(255 - this.values[at]!, at * 4, at * 4 + 3);
      pixels[at * 4 + 3] = 255;
    }
    return pixels;
  }

  /** Take over a file's RGBA [height, width, 4]. Its past is forgotten. */
  fromFile(pixels: Uint8ClampedArray): void {
    for (let at = 0; at < this.values.length; at++) {
      const [red = 0, green = 0, blue = 0] = pixels.subarray(at * 4, at * 4 + 3);
      this.values[at] = 255 - (0.299 * red + 0.587 * green + 0.114 * blue);
    }
    this.done = [];
    this.undone = [];
  }
}

/** How much of a brush is felt at a distance from its middle, 0 to 1. */
function covered(distance: number, radius: number, feather: number): number {
  const inner = radius * (1 - feather);
  if (distance <= inner) return 1;
  return distance >= radius ? 0 : (radius - distance) / (radius - inner);
}

/** From a point to the nearest one of a line. */
function distance(point: Point, from: Point, to: Point): number {
  const [x, y] = [to.x - from.x, to.y - from.y];
  const length = x * x + y * y;
  const along = length && ((point.x - from.x) * x + (point.y - from.y) * y) / length;
  const at = Math.min(1, Math.max(0, along));
  return Math.hypot(point.x - from.x - at * x, point.y - from.y - at * y);
}

function joined(one: Area | null, other: Area): Area {
  if (!one) return other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

function cut(values: Uint8ClampedArray, width: number, area: Area): Uint8ClampedArray {
  const wide = area.right - area.left;
  const found = new Uint8ClampedArray(wide * (area.bottom - area.top));
  for (let y = area.top; y < area.bottom; y++)
    found.set(values.subarray(y * width + area.left, y * width + area.right), (y - area.top) * wide);
  return found;
}

function paste(values: Uint8ClampedArray, width: number, { area, values: part }: Step): void {
  const wide = area.right - area.left;
  for (let y = area.top; y < area.bottom; y++)
    values.set(part.subarray((y - area.top) * wide, (y - area.top + 1) * wide), y * width + area.left);
}
