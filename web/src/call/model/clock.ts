/** Times of a consultation, pure: everything takes `nowMs` (milliseconds since 1970) as an argument. */

/** The server's clock as seen from here. Phones are often minutes off; countdowns follow the server. */
export class ServerClock {
  #offsetMs = 0;

  /** `serverNow` is the RFC 3339 instant of an answer that just arrived. */
  learn(serverNow: string, localNowMs: number): void {
    const server = Date.parse(serverNow);
    if (Number.isFinite(server)) this.#offsetMs = server - localNowMs;
  }

  now(localNowMs: number): number {
    return localNowMs + this.#offsetMs;
  }
}

export interface CallTime {
  elapsedS: number;
  /** Seconds to the planned end; negative in overtime. */
  leftS: number;
  state: "on_time" | "ending_soon" | "overtime";
}

const ENDING_SOON_S = 5 * 60;

export function callTime(startedMs: number, plannedEndMs: number, nowMs: number): CallTime {
  const leftS = Math.ceil((plannedEndMs - nowMs) / 1000);
  return {
    elapsedS: Math.max(0, Math.floor((nowMs - startedMs) / 1000)),
    leftS,
    state: leftS < 0 ? "overtime" : leftS <= ENDING_SOON_S ? "ending_soon" : "on_time",
  };
}
