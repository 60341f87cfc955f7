import { expect, test, vi } from "vitest";
import { modelChoices, type ModelRow } from "./models";

vi.mock("../api", () => ({}));
vi.mock("../dialogs", () => ({}));
vi.mock("../canvas/types", () => ({ short: (count: number) => `${count / 1e9} G` }));

const ROWS: readonly ModelRow[] = [
  {
    name: "far/glide",
    parts: ["base", "clip"],
    here: ["clip"],
    licence: "MIT",
    bytes: 3e9,
    files: [
      { model: "far/glide/base", bytes: 2e9, here: false },
      { model: "far/glide/clip", bytes: 1e9, here: true },
    ],
  },
  { name: "near/glide", parts: ["base", "clip"], here: ["base", "clip"], licence: "Apache-2.0", bytes: 5, files: [] },
];

test("bundles that are here come first; of others only what lacks is told", () => {
  expect(modelChoices(ROWS, true, "").map(({ label, detail }) => `${label}: ${detail}`)).toEqual([
    "near/glide: here, Apache-2.0",
    "far/glide: 2 GB to fetch, MIT",
  ]);
});

test("single models of the same part as the value come before others, those that are here before all", () => {
  expect(modelChoices(ROWS, false, "near/glide/base").map(({ label, detail }) => `${label}: ${detail}`)).toEqual([
    "near/glide/base: here, Apache-2.0",
    "far/glide/clip: here, MIT",
    "near/glide/clip: here, Apache-2.0",
    "far/glide/base: 2 GB to fetch, MIT",
  ]);
});
