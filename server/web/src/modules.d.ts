declare module "@codemirror/commands?history" {
  export * from "@codemirror/commands";
}
