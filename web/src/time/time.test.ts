import { describe, expect, it } from "vitest";
import { clockOf, countdown, dateIn, hourIn, timeFormat } from "./format";
import { cityOf, offsetLabel, offsetMinutes, sameClock, zoneChoices } from "./zones";

const WINTER = "2026-11-23T08:05:00Z";
/** Narrow and no-break spaces differ between ICU versions. */
const plain = (text: string) => text.replace(/[\u00a0\u202f\u2009]/g, " ");

describe("timeFormat", () => {
  const berlin = "Europe/Berlin";

  it("writes times in the zone asked for, not the device's", () => {
    const time = timeFormat("en-GB", "auto");
    expect(time.time(WINTER, berlin)).toBe("09:05");
    expect(time.time(WINTER, "America/New_York")).toBe("03:05");
    expect(time.clock(WINTER, "Asia/Kolkata")).toBe("13:35:00");
  });

  it("follows the language's clock, or the chosen one", () => {
    expect(plain(timeFormat("en-US", "auto").time(WINTER, berlin))).toBe("9:05 AM");
    expect(timeFormat("en-US", "h23").time(WINTER, berlin)).toBe("09:05");
    expect(plain(timeFormat("en-GB", "h12").time(WINTER, berlin))).toBe("9:05 am");
    expect(clockOf("de", "auto")).toBe("h23");
    expect(clockOf("en-US", "auto")).toBe("h12");
    expect(clockOf("de", "h12")).toBe("h12");
  });

  it("writes midnight as 00, never 24", () => {
    expect(timeFormat("en-US", "h23").time("2026-11-22T23:00:00Z", berlin)).toBe("00:00");
  });

  it("names the zone with its offset at that time of the year", () => {
    const time = timeFormat("en", "auto");
    expect(time.zoneName(berlin, WINTER)).toBe("Central European Time (GMT+1)");
    expect(time.zoneName(berlin, "2026-07-01T12:00:00Z")).toContain("(GMT+2)");
  });

  it("says how far away something is", () => {
    const time = timeFormat("en", "auto");
    const now = Date.parse(WINTER);
    expect(time.relative(now + 12 * 60_000, now)).toBe("in 12 minutes");
    expect(time.relative(now - 3 * 3_600_000, now)).toBe("3 hours ago");
    expect(time.relative(now + 86_400_000, now)).toBe("tomorrow");
  });

  it("writes durations in the reader's words", () => {
    expect(plain(timeFormat("en-US", "auto").duration(45))).toBe("45 min");
    expect(plain(timeFormat("en-US", "auto").duration(90))).toBe("1 hr 30 min");
    expect(plain(timeFormat("de", "auto").duration(60))).toBe("1 Std.");
  });
});

describe("countdown", () => {
  it("rounds up and stops at zero", () => {
    expect(countdown(299_001)).toBe("5:00");
    expect(countdown(1)).toBe("0:01");
    expect(countdown(-5000)).toBe("0:00");
    expect(countdown(3_723_000)).toBe("1:02:03");
  });
});

describe("dateIn and hourIn", () => {
  it("follow the zone over midnight", () => {
    expect(dateIn("2026-11-23T23:30:00Z", "Europe/Berlin")).toBe("2026-11-24");
    expect(dateIn("2026-11-23T02:00:00Z", "America/New_York")).toBe("2026-11-22");
    expect(hourIn("2026-11-23T23:30:00Z", "Europe/Berlin")).toBe(0);
  });
});

describe("zones", () => {
  it("know offsets over changes of the clock, also of half hours", () => {
    expect(offsetMinutes("Europe/Berlin", new Date("2026-10-25T00:59:59Z"))).toBe(120);
    expect(offsetMinutes("Europe/Berlin", new Date("2026-10-25T01:00:00Z"))).toBe(60);
    expect(offsetLabel("Asia/Kolkata", new Date(WINTER))).toBe("GMT+5:30");
    expect(offsetLabel("America/St_Johns", new Date(WINTER))).toBe("GMT−3:30");
    expect(offsetLabel("UTC", new Date(WINTER))).toBe("GMT");
  });

  it("are the same clock only while their offsets agree", () => {
    expect(sameClock("Europe/Berlin", "Europe/Paris", new Date(WINTER))).toBe(true);
    expect(sameClock("Europe/Berlin", "Africa/Lagos", new Date(WINTER))).toBe(true);
    expect(sameClock("Europe/Berlin", "Africa/Lagos", new Date("2026-07-01T00:00:00Z"))).toBe(false);
  });

  it("are offered once each, the near ones first", () => {
    const choices = zoneChoices(["Europe/Berlin", "Europe/Berlin", "UTC"], new Date(WINTER));
    const ids = choices.map((choice) => choice.id);
    expect(ids.slice(0, 2)).toEqual(["Europe/Berlin", "UTC"]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(choices[0]?.label).toBe("Berlin (GMT+1)");
    expect(cityOf("America/Argentina/Buenos_Aires")).toBe("Buenos Aires");
    expect(cityOf("Asia/Calcutta")).toBe("Kolkata");
  });
});
