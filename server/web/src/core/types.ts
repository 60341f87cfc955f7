/** Port types as texts say them (`list[Condition]`, `Denoiser[X]`, `float | list[float]`), and which fits on which. */

/** `name[args…]`; `|` is a union, `?` is not known. A variable binds to the first type that it meets. */
export interface TypeRef {
  readonly name: string;
  readonly args: readonly TypeRef[];
  readonly variable: boolean;
}
export type Bound = Map<string, TypeRef>;
/** What the library of nodes says of types. */
export interface Types {
  /** The port types, by name; a name that is not among them is a variable. */
  readonly ports: ReadonlyMap<string, unknown>;
  /** Pairs: a value of the first may stand where the second is wanted. */
  readonly widenings: readonly (readonly string[])[];
}

const BUILT_IN = new Set(["str", "int", "float", "bool", "list", "*", "?"]);
export const UNKNOWN: TypeRef = { name: "?", args: [], variable: false };

/** The type that a text names; unknown where it is malformed. */
export function parseType(text: string, ports: ReadonlyMap<string, unknown>): TypeRef {
  const tokens = text.match(/[A-Za-z_][A-Za-z0-9_]*|[*?[\],|]/g) ?? [];
  if (text.replace(/[A-Za-z0-9_*?[\],|\s]/g, "")) return UNKNOWN;
  const found = union(tokens, ports);
  return found && !tokens.length ? found : UNKNOWN;
}

function union(tokens: string[], ports: ReadonlyMap<string, unknown>): TypeRef | null {
  const members = separated(tokens, "|", () => single(tokens, ports));
  return members?.length === 1 ? (members[0] ?? null) : members && { name: "|", args: members, variable: false };
}

function single(tokens: string[], ports: ReadonlyMap<string, unknown>): TypeRef | null {
  const name = tokens.shift();
  if (!name || "[],|".includes(name)) return null;
  const variable = !BUILT_IN.has(name) && !ports.has(name);
  if (tokens[0] !== "[") return name === "list" ? null : { name, args: [], variable };
  tokens.shift();
  const args = separated(tokens, ",", () => union(tokens, ports));
  return args && tokens.shift() === "]" ? { name, args, variable: false } : null;
}

function separated(tokens: string[], sign: string, read: () => TypeRef | null): TypeRef[] | null {
  const found: TypeRef[] = [];
  for (;;) {
    const next = read();
    if (!next) return null;
    found.push(next);
    if (tokens[0] !== sign) return found;
    tokens.shift();
  }
}

/** A type as a text. */
export function typeText({ name, args }: TypeRef): string {
  if (name === "|") return args.map(typeText).join(" | ");
  return args.length ? `${name}[${args.map(typeText).join(", ")}]` : name;
}

/** A list of a type. */
export function listOf(item: TypeRef): TypeRef {
  return { name: "list", args: [item], variable: false };
}

/** What a list holds; null for what is no list. */
export function itemOf({ name, args }: TypeRef): TypeRef | null {
  return name === "list" ? (args[0] ?? UNKNOWN) : null;
}

/** Whether a type says nothing: it is a variable, anything, or not known. */
export function isLoose(type: TypeRef): boolean {
  return type.variable || type.name === "*" || type.name === "?";
}

/** Whether a value of type `source` may stand where `target` is wanted; binds the variables of `target`. */
export function fits(source: TypeRef, target: TypeRef, bound: Bound, types: Types): boolean {
  if (source.name === "?" || source.variable || target.name === "*" || target.name === "?") return true;
  if (source.name === "|") return source.args.every((member) => fits(member, target, bound, types));
  if (target.variable) {
    const met = bound.get(target.name) ?? source;
    bound.set(target.name, met);
    return fits(source, met, bound, types);
  }
  if (target.name === "|") return target.args.some((member) => tried(source, member, bound, types));
  if (source.name !== target.name) return widens(typeText(source), target.name, types);
  const pairs = source.args.length && target.args.length ? source.args.slice(0, target.args.length) : [];
  return pairs.every((arg, i) => fits(arg, target.args[i] ?? UNKNOWN, bound, types));
}

/** The same, binding nothing where it does not fit. */
export function tried(source: TypeRef, target: TypeRef, bound: Bound, types: Types): boolean {
  const attempt = new Map(bound);
  if (!fits(source, target, attempt, types)) return false;
  for (const [name, type] of attempt) bound.set(name, type);
  return true;
}

function widens(source: string, target: string, { widenings }: Types): boolean {
  return widenings.some(([from, to]) => from === source && to === target);
}

/** The type with its variables replaced by what they were bound to; the others become unknown, or `other`. */
export function resolved(type: TypeRef, bound: ReadonlyMap<string, TypeRef>, other = (_: TypeRef) => UNKNOWN): TypeRef {
  if (type.variable) return bound.get(type.name) ?? other(type);
  return type.args.length ? { ...type, args: type.args.map((arg) => resolved(arg, bound, other)) } : type;
}
