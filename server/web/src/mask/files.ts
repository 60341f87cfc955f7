/** Masks as the server keeps them. */

import { fileAddress, type OutFile, upload } from "../api";
import { Mask, sizeFor } from "./paint";

async function drawn(address: string, size?: { width: number; height: number }): Promise<ImageData> {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  const { width, height } = size ?? sizeFor(picture.naturalWidth, picture.naturalHeight);
  const context = new OffscreenCanvas(width, height).getContext("2d")!;
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

const painted = new Map<string, Mask>();

/** The mask of a picture: as it was left when it was last painted, else as its file has it, else empty. */
export async function openMask(picture: string, file: string | null): Promise<Mask> {
  const key = `${picture} ${file}`;
  const kept = painted.get(key);
  if (kept) return kept;
  const { width, height } = await drawn(fileAddress(picture));
  const mask = new Mask(width, height);
  if (file) mask.fromFile((await drawn(fileAddress(file), mask)).data);
  painted.set(key, mask);
  return mask;
}

/** Send a mask to the server, as what a graph takes. */
export async function keepMask(mask: Mask, picture: string): Promise<OutFile> {
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  canvas.getContext("2d")!.putImageData(new ImageData(mask.toFile(), mask.width, mask.height), 0, 0);
  const kept = await upload(await canvas.convertToBlob({ type: "image/png" }), "mask.png");
  painted.set(`${picture} ${kept.file}`, mask);
  return kept;
}
