/**
 * The history of the text. It is taken from a copy of its package (Vite keeps modules with a query apart): that package
 * also holds what a view of the text needs, and is only loaded with it.
 */

export { historyField, isolateHistory, redo, undo } from "@codemirror/commands?history";
