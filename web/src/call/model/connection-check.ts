import { apiUrl } from "../../api";

/** How the way to the server looks before a call, in words that a page can say. */
export type Verdict = "checking" | "good" | "fair" | "poor" | "offline" | "blocked";

export interface Measurement {
  /** Round trips of small requests in milliseconds; empty when none came back. */
  roundTripsMs: readonly number[];
  /** The browser found at least one address to send media from. */
  canSendMedia: boolean;
}

const GOOD_MS = 150;
const FAIR_MS = 400;
const PINGS = 4;
const PING_TIMEOUT_MS = 5_000;
const GATHER_TIMEOUT_MS = 2_000;

export function verdictOf({ roundTripsMs, canSendMedia }: Measurement): Verdict {
  if (roundTripsMs.length === 0) return "offline";
  if (!canSendMedia) return "blocked";
  const typical = median(roundTripsMs);
  if (typical <= GOOD_MS) return "good";
  return typical <= FAIR_MS ? "fair" : "poor";
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Infinity;
}

export async function checkConnection(): Promise<Verdict> {
  const [roundTripsMs, canSendMedia] = await Promise.all([ping(), gathersAddress()]);
  return verdictOf({ roundTripsMs, canSendMedia });
}

async function ping(): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const started = performance.now();
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), PING_TIMEOUT_MS);
    try {
      const response = await fetch(apiUrl("/config"), {
        cache: "no-store",
        signal: controller.signal,
      });
      await response.arrayBuffer();
      // The first request also pays for the connection.
      if (response.ok && count > 0) times.push(performance.now() - started);
    } catch {
      // Counted by its absence.
    } finally {
      clearTimeout(timer);
    }
  }
  return times;
}

/** WebRTC can be there and yet be switched off by a policy or an extension: then no address is found. */
async function gathersAddress(): Promise<boolean> {
  const connection = new RTCPeerConnection();
  try {
    const found = new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), GATHER_TIMEOUT_MS);
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.candidate) resolve(true);
      };
    });
    connection.createDataChannel("check");
    await connection.setLocalDescription(await connection.createOffer());
    return await found;
  } catch {
    return false;
  } finally {
    connection.close();
  }
}
