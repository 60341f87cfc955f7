/** Pictures that are looked at over the whole page, one of them at a time. */

import { create } from "zustand";
import { isPicture, type Job } from "../api";

export interface Picture {
  file: string;
  /** The name by which it is saved. */
  name: string;
  label: string;
  /** A smaller one, for the strip. */
  small?: string;
  /** Of a prediction: what it was made from. */
  noisy?: string;
  /** The job whose graph made it. */
  job?: string;
}

export interface Looking {
  title: string;
  pictures: readonly Picture[];
  at: number;
  noisy: boolean;
}

export const useLooking = create<{ now: Looking | null }>(() => ({ now: null }));

/** Show pictures, one of them first. */
export function look(title: string, pictures: readonly Picture[], at = 0, noisy = false): void {
  if (pictures.length) useLooking.setState({ now: { title, pictures, at, noisy } });
}

/** The pictures among the outputs of a job. */
export function picturesOf(
  job: Pick<Job, "id" | "title">,
  outputs: Readonly<Record<string, readonly unknown[]>>,
  label = job.title,
): Picture[] {
  const rows = Object.entries(outputs).flatMap(([name, values]) => values.filter(isPicture).map((one) => ({ name, one })));
  return rows.map(({ name, one }, n) => ({
    file: one.file,
    name: one.name,
    label: rows.length > 1 ? `${label}, ${name} ${n + 1}` : label,
    job: job.id,
  }));
}

/** Enlarge one of a job's pictures. */
export function lookAt(job: Job, outputs: Readonly<Record<string, readonly unknown[]>>, file: string): void {
  const pictures = picturesOf(job, outputs);
  look(job.title, pictures, Math.max(0, pictures.findIndex((one) => one.file === file)));
}
