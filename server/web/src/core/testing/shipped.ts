/// <reference types="node" />
/** The shipped graphs, and the forms that a file may have. */

import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parse, stringify } from "yaml";

const FOLDER = join(import.meta.dirname, "../../../../../graphs");

/** Name and text of every shipped graph. */
export const SHIPPED: readonly (readonly [string, string])[] = globSync(join(FOLDER, "**/*.yaml"))
  .sort()
  .map((path) => [relative(FOLDER, path), readFileSync(path, "utf8")]);

function emoji(text: string): string {
  return text.replace(/^(\ufeff?)graph: 1/m, "$1# 🌈\ngraph: 1  # 😀 ").replace(/title: ("?)/, "title: $1👩‍🚀 ");
}

function printed(text: string, collectionStyle: "block" | "flow"): string {
  return stringify(parse(text), { collectionStyle, lineWidth: 0 });
}

export const FORMS: Readonly<Record<string, (text: string) => string>> = {
  "as it is": (text) => text,
  CRLF: (text) => text.replaceAll("\n", "\r\n"),
  BOM: (text) => `\ufeff${text}`,
  "no last newline": (text) => text.trimEnd(),
  "BOM, CRLF, no last newline": (text) => `\ufeff${text.trimEnd().replaceAll("\n", "\r\n")}`,
  "all block": (text) => printed(text, "block"),
  "all flow": (text) => printed(text, "flow"),
  emoji,
};
