/** How often it is looked whether something came. */
const SAMPLE_MS = 200;
/** So long must something have come without a pause before its absence says anything. */
const FLOWING_MS = 2_000;
/** Reports about what we send come several times a second. */
const SILENCE_MS = 800;
/** A timer later than this says that the page had no time to look. */
const STALL_MS = 500;
/** After a try, before the next: a network that is gone altogether is the SDK's matter. */
const REST_MS = 5_000;

/** Says when a connection over which something came all the time has fallen silent. Times in milliseconds. */
export class Silence {
  #bytes = 0;
  #grewAt: number | null = null;
  #flowsSince: number | null = null;
  #lookedAt: number | null = null;
  #restsUntil = 0;

  /**
   * `bytes`: received so far. `expected`: we send, so the other side has to report. True once for each silence.
   */
  look(bytes: number, expected: boolean, nowMs: number): boolean {
    const stalled = this.#lookedAt !== null && nowMs - this.#lookedAt > STALL_MS;
    this.#lookedAt = nowMs;
    const grew = bytes !== this.#bytes;
    this.#bytes = bytes;
    if (!expected || stalled || this.#grewAt === null) {
      this.#grewAt = nowMs;
      this.#flowsSince = null;
      return false;
    }
    if (grew) {
      this.#grewAt = nowMs;
      this.#flowsSince ??= nowMs;
      return false;
    }
    if (nowMs - this.#grewAt < SILENCE_MS) return false;
    const flowed = this.#flowsSince !== null && this.#grewAt - this.#flowsSince >= FLOWING_MS;
    this.#flowsSince = null;
    if (!flowed || nowMs < this.#restsUntil) return false;
    this.#restsUntil = nowMs + REST_MS;
    return true;
  }
}

/** What is watched. */
export interface Watched {
  /** `null` while there is no connection. */
  stats(): Promise<RTCStatsReport> | null;
  /** We send sound or pictures. */
  sends(): boolean;
  /** The way to the server is dead: find another. */
  lost(): void;
}

/**
 * Notices that the way of the media to the server is dead, as after a change of network: browsers take 15 s
 * for that, and the web socket, whose own way is as dead, is given up by the SDK no earlier.
 */
export class PathWatch {
  readonly #watched: Watched;
  readonly #silence = new Silence();
  #timer: ReturnType<typeof setInterval> | null = null;
  #looking = false;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), SAMPLE_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const reports = await this.#watched.stats();
      if (reports === null || this.#timer === null) return;
      if (this.#silence.look(bytesReceived(reports), this.#watched.sends(), performance.now())) {
        this.#watched.lost();
      }
    } catch {
      // The connection has just been closed.
    } finally {
      this.#looking = false;
    }
  }
}

/** Of all pairs of candidates, which is what comes over the network whatever it is for. */
function bytesReceived(reports: RTCStatsReport): number {
  let bytes = 0;
  reports.forEach((report: RTCStats & { bytesReceived?: number }) => {
    if (report.type === "candidate-pair") bytes += report.bytesReceived ?? 0;
  });
  return bytes;
}
