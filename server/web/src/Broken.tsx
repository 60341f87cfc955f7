/** What stands in the place of a page that broke: nothing of a draft is lost, it is with the server. */

import { Component, type ReactNode } from "react";

export class Broken extends Component<{ children: ReactNode }, { fault: string }> {
  override state = { fault: "" };

  static getDerivedStateFromError(error: unknown) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (!this.state.fault) return this.props.children;
    return (
      <main className="start">
        <h1>This page broke</h1>
        <p className="error">{this.state.fault}</p>
        <p className="quiet">Your draft is kept by the server: load the page again to go on with it.</p>
        <span className="tools">
          <button className="main" onClick={() => location.reload()}>
            Load it again
          </button>
        </span>
      </main>
    );
  }
}
