import { isApiError, type JoinView } from "../../api";
import type { Client, Support } from "./capability";
import type { CallEnd, CallModel } from "./call-model";
import { ServerClock } from "./clock";
import type { JoinApi } from "./join-api";
import { mark } from "./marks";
import type { PreferenceBox } from "./preferences";
import { Store } from "./store";

export type JoinPhase =
  | "loading"
  | "too_early"
  | "prejoin"
  | "entering"
  | "waiting"
  | "call"
  | "declined"
  | "removed"
  | "ended"
  | "cancelled"
  | "left"
  | "problem";

export type JoinProblem =
  | "link_invalid"
  | "link_expired"
  | "room_full"
  | "server_unreachable"
  | "too_many_attempts"
  | "unsupported"
  | "replaced"
  | "unexpected";

export interface JoinState {
  phase: JoinPhase;
  view: JoinView | null;
  problem: { kind: JoinProblem; code: string } | null;
  /** Why the last click on Join did not work, shown beside the button. */
  enterError: string | null;
  call: CallModel | null;
  /** When the person's part in the call began and ended, milliseconds since 1970 by the server's clock. */
  joinedMs: number | null;
  leftMs: number | null;
}

export interface JoinPorts {
  api: JoinApi;
  support: Support;
  client: Client;
  preferences: PreferenceBox;
  /** Makes a call that is not connected yet; loads the media library. */
  createCall: () => CallModel;
  nowMs: () => number;
  setTimeout: (run: () => void, ms: number) => unknown;
  clearTimeout: (timer: unknown) => void;
}

/** Beside the event stream, for proxies that hold it back. */
const POLL_MS = 15_000;
/** Between looks at a window that should have opened. */
const OVERDUE_MS = 3_000;
/** No answer is under way for longer; an older time means that the server's clock was set back. */
const STALE_MS = 30_000;
const MAX_NAME = 80;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** From the link to the goodbye: which page is shown, and what moves it on. */
export class JoinViewModel {
  readonly store: Store<JoinState>;
  readonly clock = new ServerClock();
  readonly #ports: JoinPorts;
  #stopFollowing: (() => void) | null = null;
  #openTimer: unknown = null;
  #pollTimer: unknown = null;
  #disposed = false;

  constructor(ports: JoinPorts) {
    this.#ports = ports;
    this.store = new Store<JoinState>({
      phase: "loading",
      view: null,
      problem: null,
      enterError: null,
      call: null,
      joinedMs: null,
      leftMs: null,
    });
  }

  nowMs(): number {
    return this.clock.now(this.#ports.nowMs());
  }

  async load(): Promise<void> {
    if (this.#ports.support === "unsupported") {
      this.store.patch({
        phase: "problem",
        problem: { kind: "unsupported", code: "browser_unsupported" },
      });
      return;
    }
    this.store.patch({ phase: "loading", problem: null });
    try {
      const view = await this.#ports.api.view();
      if (!this.#disposed) this.#arrive(view);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The name that the Join page proposes. */
  proposedName(): string {
    const given = this.store.get().view?.display_name.trim() ?? "";
    return given === "" ? this.#ports.preferences.value.name : given;
  }

  /** The click on Join. */
  async join(name: string): Promise<void> {
    const { phase } = this.store.get();
    if (phase !== "prejoin" && phase !== "left") return;
    mark("join-click");
    const displayName = name.trim().slice(0, MAX_NAME);
    this.#ports.preferences.update({ name: displayName });
    this.store.patch({ phase: "entering", enterError: null });
    try {
      const view = await this.#ports.api.enter(displayName, this.#ports.client);
      if (this.#disposed) return;
      this.#follow();
      this.#move(view);
    } catch (error) {
      const code = isApiError(error) ? error.code : "unexpected";
      if (isFinal(code)) this.#fail(error);
      else this.store.patch({ phase: "prejoin", enterError: code });
    }
  }

  /** Without a click, for who has just clicked Admit on the dashboard. */
  async joinStraight(): Promise<void> {
    const { phase, view } = this.store.get();
    const name = this.proposedName();
    if (phase === "prejoin" && view?.role === "provider" && name !== "") await this.join(name);
  }

  /** Leaves the waiting room or the call; the end page offers to come back. */
  async leave(): Promise<void> {
    const { phase, call } = this.store.get();
    if (phase !== "waiting" && phase !== "call" && phase !== "entering") return;
    this.#stop();
    if (call) await this.#closeCall();
    this.store.patch({ phase: "left" });
    await this.#ports.api.leave().catch(() => undefined);
  }

  /** The consultation was ended for all from this window. */
  endedHere(): void {
    if (this.store.get().phase === "call") void this.#finish("ended");
  }

  /** From the end page, back to the prejoin page with the choices as they were. */
  async rejoin(): Promise<void> {
    await this.load();
  }

  /** The page is going away. */
  pageHidden(): void {
    const { phase } = this.store.get();
    if (phase === "waiting" || phase === "entering")
      void this.#ports.api.leave().catch(() => undefined);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.pageHidden();
    this.#stop();
    void this.#closeCall();
  }

  canRejoin(): boolean {
    const { view } = this.store.get();
    return view !== null && this.nowMs() < Date.parse(view.window.closes_at);
  }

  #arrive(view: JoinView): void {
    this.#learn(view);
    switch (view.phase) {
      case "too_early":
        this.store.patch({ phase: "too_early" });
        this.#watchOpening(view);
        return;
      case "open":
      case "waiting":
      case "admitted":
        // The devices need a look and a click, also for someone who reloads in the waiting room.
        this.store.patch({ phase: "prejoin" });
        return;
      default:
        this.#move(view);
    }
  }

  /** After Join: the server's word decides what is shown. */
  #move(view: JoinView): void {
    this.#learn(view);
    switch (view.phase) {
      case "admitted":
        void this.#startCall();
        return;
      case "waiting":
        void this.#closeCall();
        this.store.patch({ phase: "waiting" });
        this.#schedulePoll();
        return;
      case "open":
        // Not in the waiting room any more, as after a leave in another window.
        void this.#finish("prejoin");
        return;
      case "too_early":
        void this.#finish("too_early");
        this.#watchOpening(view);
        return;
      case "declined":
        void this.#finish(this.store.get().joinedMs === null ? "declined" : "removed");
        return;
      case "ended":
      case "cancelled":
        void this.#finish(view.phase);
        return;
    }
  }

  async #startCall(): Promise<void> {
    if (this.store.get().call) return;
    this.#cancelPoll();
    const call = this.#ports.createCall();
    this.store.patch({ phase: "call", call, leftMs: null });
    call.onConnected = () => {
      if (this.store.get().joinedMs === null) this.store.patch({ joinedMs: this.nowMs() });
    };
    call.onEnd = (end) => void this.#callEnded(call, end);
    await call.start();
  }

  async #callEnded(call: CallModel, end: CallEnd): Promise<void> {
    if (this.store.get().call !== call) return;
    switch (end) {
      case "not_admitted":
        await this.#closeCall();
        await this.#reread();
        return;
      case "removed":
      case "room_closed":
        await this.#closeCall();
        await this.#reread(end === "removed" ? "removed" : "ended");
        return;
      case "replaced":
        await this.#finish("problem");
        this.store.patch({ problem: { kind: "replaced", code: "joined_elsewhere" } });
        return;
      case "room_full":
      case "link_expired":
      case "link_invalid":
        await this.#finish("problem");
        this.store.patch({ problem: { kind: end, code: end } });
        return;
    }
  }

  /** Asks what became of the appointment; `otherwise` is shown when it is still open to this person. */
  async #reread(otherwise: "removed" | "ended" | null = null): Promise<void> {
    try {
      const view = await this.#ports.api.view();
      const stillOpen = view.phase === "open" || view.phase === "admitted";
      this.#learn(view);
      // Sent back to the waiting room, or something final.
      if (!stillOpen) this.#move(view);
      else await this.#finish(otherwise ?? "prejoin");
    } catch (error) {
      if (otherwise === null) this.#fail(error);
      else await this.#finish(otherwise);
    }
  }

  async #finish(phase: JoinPhase): Promise<void> {
    // Who was taken out may have been sent back: the word of it can come after the end of the call.
    if (phase !== "removed") this.#stop();
    this.store.patch({ phase });
    await this.#closeCall();
  }

  async #closeCall(): Promise<void> {
    const { call } = this.store.get();
    if (!call) return;
    this.store.patch({ call: null, leftMs: this.nowMs() });
    await call.close();
  }

  #follow(): void {
    this.#stopFollowing?.();
    this.#stopFollowing = this.#ports.api.follow((view) => this.#onEvent(view));
  }

  #onEvent(view: JoinView): void {
    const { phase, view: known } = this.store.get();
    // A poll that was answered before the last event may arrive after it.
    const behindMs = known ? Date.parse(known.now) - Date.parse(view.now) : 0;
    if (behindMs > 0 && behindMs <= STALE_MS) return;
    const isBack = phase === "removed" && view.phase === "waiting";
    if (phase !== "waiting" && phase !== "call" && !isBack) return;
    // The stream may start with a view from before Join took effect.
    if (phase === "call" && view.phase === "open") return;
    this.#move(view);
  }

  #schedulePoll(): void {
    this.#cancelPoll();
    this.#pollTimer = this.#ports.setTimeout(() => {
      void this.#ports.api
        .view()
        .then((view) => this.#onEvent(view))
        .catch(() => undefined)
        .finally(() => {
          if (this.store.get().phase === "waiting" && !this.#disposed) this.#schedulePoll();
        });
    }, POLL_MS);
  }

  /** Looks again when the window should open, without a flicker of the page. */
  #watchOpening(view: JoinView): void {
    this.#ports.clearTimeout(this.#openTimer);
    const inMs = Math.max(OVERDUE_MS, Date.parse(view.window.opens_at) - this.nowMs() + 250);
    const look = async () => {
      const next = await this.#ports.api.view().catch(() => null);
      if (this.store.get().phase !== "too_early" || this.#disposed) return;
      if (next) this.#arrive(next);
      else this.#watchOpening(view);
    };
    this.#openTimer = this.#ports.setTimeout(() => void look(), Math.min(inMs, MAX_TIMER_MS));
  }

  #learn(view: JoinView): void {
    this.clock.learn(view.now, this.#ports.nowMs());
    this.store.patch({ view });
  }

  #fail(error: unknown): void {
    if (this.#disposed) return;
    this.#stop();
    void this.#closeCall();
    const code = isApiError(error) ? error.code : "unexpected";
    const transient = isApiError(error) && error.passing;
    const kind: JoinProblem = isFinal(code)
      ? code
      : code === "too_many_attempts"
        ? code
        : transient
          ? "server_unreachable"
          : "unexpected";
    this.store.patch({ phase: "problem", problem: { kind, code } });
  }

  #cancelPoll(): void {
    this.#ports.clearTimeout(this.#pollTimer);
    this.#pollTimer = null;
  }

  #stop(): void {
    this.#stopFollowing?.();
    this.#stopFollowing = null;
    this.#cancelPoll();
    this.#ports.clearTimeout(this.#openTimer);
    this.#openTimer = null;
  }
}

function isFinal(code: string): code is "link_invalid" | "link_expired" | "room_full" {
  return code === "link_invalid" || code === "link_expired" || code === "room_full";
}
