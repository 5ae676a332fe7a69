// Waiting with a limit and a reason; no test sleeps for luck.
export const delay = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks until `probe` gives something truthy; errors of the probe count as "not yet". */
export async function until(what, probe, { timeout = 15_000, every = 100 } = {}) {
  const deadline = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const detail = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`not within ${timeout} ms: ${what} (last seen: ${detail})`);
    }
    await delay(every);
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
