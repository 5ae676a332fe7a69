import { describe, expect, it } from "vitest";
import { ApiError, fullName } from "../api";
import { amountText, formatMoney, parseAmount } from "../app/money";
import { explain } from "../app/problems";
import { safeNext } from "../app/session";
import type { ShellTranslate } from "../i18n";
import { initialsOf } from "../ui";
import { deviceText } from "./appointments/device";
import { actualMinutes, filterFrom, toQuery } from "./appointments/model";
import { tidyCode, tokenFrom } from "./home/code";

describe("codes", () => {
  it("are tidied while typing", () => {
    expect(tidyCode(" k7qm 4rtd ")).toBe("K7QM-4RTD");
    expect(tidyCode("k7q")).toBe("K7Q");
  });

  it("lead to a token, also out of a pasted link", () => {
    expect(tokenFrom("k7qm-4rtd")).toBe("K7QM-4RTD");
    expect(tokenFrom("see https://x.example/j/ab%2Bc?x=1")).toBe("ab+c");
    expect(tokenFrom("https://x.example/j/%E0%A4%A")).toBe("%E0%A4%A");
    expect(tokenFrom("k7qm")).toBeNull();
    expect(tokenFrom("")).toBeNull();
  });
});

describe("safeNext", () => {
  it("never leaves the site", () => {
    expect(safeNext("/appointments?state=waiting")).toBe("/appointments?state=waiting");
    for (const next of [null, "", "//evil.example", "/\\evil.example", "https://evil.example"]) {
      expect(safeNext(next), String(next)).toBe("/dashboard");
    }
  });
});

describe("explain", () => {
  const t = ((key: string) => key) as ShellTranslate;

  it("has words for known codes, for statuses, and for what is no answer at all", () => {
    expect(explain(new ApiError("slot_taken", 409), t).title).toBe("problem.slot_taken");
    expect(explain(new ApiError("weird", 503, "pool exhausted"), t)).toEqual({
      title: "problem.server",
      advice: "problem.server_do",
      code: "weird",
    });
    expect(explain(new TypeError("x"), t).code).toBe("page");
  });

  it("lets the server speak where it knows more", () => {
    const error = new ApiError("provider_inactive", 409, "This provider takes no bookings.");
    expect(explain(error, t)).toEqual({
      title: "problem.unexpected",
      advice: "This provider takes no bookings.",
      code: "provider_inactive",
    });
  });
});

describe("money", () => {
  it("knows the currency's digits", () => {
    expect(formatMoney({ amount: 4500, currency: "EUR" }, "en")).toBe("€45.00");
    expect(formatMoney({ amount: 4500, currency: "JPY" }, "en")).toBe("¥4,500");
    expect(amountText({ amount: 4550, currency: "EUR" })).toBe("45.50");
  });

  it("reads amounts as people write them, without losing a cent", () => {
    expect(parseAmount("45,50", "EUR")).toBe(4550);
    expect(parseAmount("19.99", "USD")).toBe(1999);
    expect(parseAmount("1.005", "EUR")).toBeNull();
    expect(parseAmount("45", "JPY")).toBe(45);
    for (const text of ["-1", "x", "", "1e3"]) expect(parseAmount(text, "EUR"), text).toBeNull();
  });
});

describe("initialsOf", () => {
  it("leaves titles out", () => {
    expect(initialsOf("Dr. Mara Voss")).toBe("MV");
    expect(initialsOf("Ana")).toBe("A");
    expect(initialsOf("فاطمة الزهراء")).toBe("فا");
    expect(initialsOf("")).toBe("");
  });
});

describe("deviceText", () => {
  const t = ((key: string) => key) as ShellTranslate;

  it("names what is known and leaves out the rest", () => {
    expect(deviceText({ browser: "chrome", os: "macos", kind: "desktop" }, t)).toBe(
      "Chrome, macOS, device.desktop",
    );
    expect(deviceText({ browser: "Netscape 4", os: null }, t)).toBe("Netscape 4");
    expect(deviceText(null, t)).toBe("");
  });
});

describe("fullName", () => {
  it("puts the title before the name, once", () => {
    expect(fullName({ title: "Dr.", name: "Ada Lind" })).toBe("Dr. Ada Lind");
    expect(fullName({ title: "Dr.", name: "Dr. Ada Lind" })).toBe("Dr. Ada Lind");
    expect(fullName({ title: null, name: "Ada Lind" })).toBe("Ada Lind");
    expect(fullName({ title: "", name: "Ada Lind" })).toBe("Ada Lind");
  });
});

describe("the list's filter", () => {
  it("comes from the address and goes back unchanged", () => {
    const query = new URLSearchParams("from=2026-11-01&state=waiting&provider=p1");
    expect(toQuery(filterFrom(query))).toEqual({
      from: "2026-11-01",
      state: "waiting",
      provider: "p1",
    });
    expect(toQuery(filterFrom(new URLSearchParams("from=soon&to=2026-13-01&state=lost")))).toEqual({});
  });

  it("knows how long it really took", () => {
    const times = { actual_start: "2026-11-23T09:00:10Z", actual_end: "2026-11-23T09:28:00Z" };
    expect(actualMinutes(times as Parameters<typeof actualMinutes>[0])).toBe(28);
    const running = { ...times, actual_end: null };
    expect(actualMinutes(running as Parameters<typeof actualMinutes>[0])).toBeUndefined();
  });
});
