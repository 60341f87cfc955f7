/** One text shared with the server: what is typed here goes there as change sets, what others write comes here. */

import { ChangeSet, Text } from "@codemirror/state";
import { ask, type Draft, encoded, get, post, Problem } from "../api";

export interface Update {
  version: number;
  client: string;
  changes: unknown;
}

/** What the text is held in: applies what comes from elsewhere, told whether it may be written. */
export interface Held {
  doc(): Text;
  apply(changes: ChangeSet): void;
  replace(text: string): void;
}

export type Link = "written" | "sending" | "offline" | "reading" | "lost";

export const RETRY = 1_500;

/**
 * Sends the changes of one writer over the version that the server has, one request at a time. What is not yet there is
 * `sent` and then `waiting`; changes of others are taken over below them.
 */
export class Sync {
  link: Link = "written";
  private sent: ChangeSet | null = null;
  private waiting: ChangeSet | null = null;
  private pumping: Promise<void> | null = null;
  private closed = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly path: string,
    readonly client: string,
    private readonly held: Held,
    public version: number,
    public writer: boolean,
    private readonly told: (sync: Sync, unsaved: boolean | null) => void,
  ) {
    if (!writer) this.link = "reading";
  }

  /** Whether all that was typed is with the server. */
  get settled(): boolean {
    return !this.sent && !this.waiting;
  }

  /** Note a change that was made here. */
  changed(changes: ChangeSet): void {
    this.waiting = this.waiting ? this.waiting.compose(changes) : changes;
    void this.pump();
  }

  /** Send what waits; returns when nothing is on its way any more. */
  async pump(): Promise<void> {
    await (this.pumping ??= this.sendAll().finally(() => {
      this.pumping = null;
    }));
  }

  private async sendAll(): Promise<void> {
    if (this.closed || this.settled) return;
    try {
      while (!this.settled && !this.closed) await this.next();
      this.say("written");
    } catch (problem) {
      await this.failed(problem);
    }
  }

  private async next(): Promise<void> {
    if (!this.sent) [this.sent, this.waiting] = [this.waiting, null];
    if (!this.sent) return;
    if (this.link !== "offline") this.say("sending");
    const body = { version: this.version, client: this.client, changes: this.sent.toJSON() };
    const answer = await post<{ version: number; unsaved: boolean }>(`live/${encoded(this.path)}/updates`, body);
    if (answer.version > this.version) this.acknowledge(answer.version);
    this.told(this, answer.unsaved);
  }

  private acknowledge(version: number): void {
    this.version = version;
    this.sent = null;
  }

  private async failed(problem: unknown): Promise<void> {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.type === "not-writer") {
      this.writer = false;
      this.say("reading");
    } else if (problem.status === 0 || problem.status >= 500) this.again();
    else if (problem.type === "stale") {
      await this.catchUp();
      this.timer = setTimeout(() => void this.pump(), 0);
    } else this.say("lost");
  }

  private again(): void {
    this.say("offline");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.catchUp().then(() => this.pump()), RETRY);
  }

  /** Read what happened since the version that is known. */
  async catchUp(): Promise<void> {
    if (this.closed) return;
    try {
      const missed = await get<Update[]>(`live/${encoded(this.path)}/updates?since=${this.version}`);
      for (const update of missed) this.receive(update);
      if (this.link === "offline") this.say(this.settled ? "written" : "sending");
    } catch (problem) {
      if (problem instanceof Problem && (problem.status === 0 || problem.status >= 500)) this.again();
      else if (problem instanceof Problem && problem.status === 410) await this.startAgain();
      else throw problem;
    }
  }

  /** Updates are no longer kept: the server's text is taken, and what was not yet sent is put over it. */
  private async startAgain(): Promise<void> {
    const draft = await get<Draft>(`live/${encoded(this.path)}`);
    const mine = this.settled ? null : this.held.doc();
    this.version = draft.version;
    this.sent = this.waiting = null;
    this.held.replace(draft.text);
    if (mine) this.held.replace(mine.toString());
    if (mine) this.changed(ChangeSet.of({ from: 0, to: draft.text.length, insert: mine }, draft.text.length));
  }

  /** An update that the server told. Gaps are asked for. */
  receive(update: Update): void {
    if (update.version <= this.version) return;
    if (update.version > this.version + 1) {
      void this.catchUp();
      return;
    }
    if (update.client === this.client && this.sent) this.acknowledge(update.version);
    else {
      this.version = update.version;
      this.takeOver(ChangeSet.fromJSON(update.changes));
    }
  }

  private takeOver(theirs: ChangeSet): void {
    let changes = theirs;
    if (this.sent) {
      const mine = this.sent;
      this.sent = mine.map(changes);
      changes = changes.map(mine, true);
    }
    if (this.waiting) {
      const mine = this.waiting;
      this.waiting = mine.map(changes);
      changes = changes.map(mine, true);
    }
    this.held.apply(changes);
  }

  /** Become the writer, or stay it; `take` also where another one is. */
  async hold(take = false): Promise<void> {
    try {
      await ask("POST", `live/${encoded(this.path)}/writer`, { client: this.client, take });
      const new_ = !this.writer;
      this.writer = true;
      if (new_) await this.catchUp();
      if (this.link === "reading" || new_) this.say(this.settled ? "written" : "sending");
      void this.pump();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.type === "not-writer") this.lostWriter();
      else if (problem.status === 0) this.again();
      else this.say("lost");
    }
  }

  /** Another one writes now. */
  lostWriter(): void {
    this.writer = false;
    this.say("reading");
  }

  private say(link: Link): void {
    if (this.closed || (this.link === link && link !== "written")) return;
    this.link = link;
    this.told(this, null);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }
}
