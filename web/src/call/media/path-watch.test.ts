import { describe, expect, it } from "vitest";
import { Silence } from "./path-watch";

/** Looks every 200 ms; `flow` says for each look whether something came. Gives the times of the alarms. */
function alarms(flow: readonly boolean[], expected = true, everyMs = 200): number[] {
  const silence = new Silence();
  let bytes = 0;
  return flow.flatMap((came, place) => {
    if (came) bytes += 1_000;
    return silence.look(bytes, expected, place * everyMs) ? [place * everyMs] : [];
  });
}

const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);

describe("a connection that falls silent", () => {
  it("is noticed within a second, once", () => {
    expect(alarms([...times(20, true), ...times(60, false)])).toEqual([3_800 + 800]);
  });

  it("is not taken for one over which little comes", () => {
    const pauses = times(20, [true, false, false, false]).flat();
    expect(alarms(pauses)).toEqual([]);
  });

  it("says nothing while we send nothing, or before anything has come for a while", () => {
    expect(alarms([...times(20, true), ...times(20, false)], false)).toEqual([]);
    expect(alarms([...times(5, true), ...times(20, false)])).toEqual([]);
  });

  it("is not taken for a page that got no time", () => {
    expect(alarms([...times(20, true), ...times(20, false)], true, 900)).toEqual([]);
  });

  it("is not tried again at once", () => {
    const comesAndGoes = [...times(12, true), ...times(6, false)];
    expect(alarms([...comesAndGoes, ...comesAndGoes, ...comesAndGoes])).toEqual([3_000, 10_200]);
  });
});
