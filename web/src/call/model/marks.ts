/** Steps from the click on Join to the first picture, for the browser's performance timeline and the tests. */
export type Mark = "join-click" | "token" | "signal-connected" | "pc-connected" | "first-frame";

/** The newest join counts: the click clears the marks of the one before. */
export function mark(step: Mark): void {
  if (step === "join-click") {
    for (const other of [
      "token",
      "signal-connected",
      "pc-connected",
      "first-frame",
    ] satisfies Mark[]) {
      performance.clearMarks(`parley:${other}`);
    }
    performance.clearMarks("parley:join-click");
  } else if (performance.getEntriesByName(`parley:${step}`).length > 0) {
    return;
  }
  performance.mark(`parley:${step}`);
}
