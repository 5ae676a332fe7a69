import { describe, expect, it } from "vitest";
import { ApiError, type Organisation, type Service, type Slot } from "../../api";
import {
  activeServices,
  byPartOfDay,
  checkDetails,
  firstFreeDate,
  NO_DETAILS,
  pickDuration,
  randomKey,
  slotRefusal,
  slotsByDate,
} from "./model";

const service = (over: Partial<Service> = {}): Service => ({
  id: "s1",
  slug: "talk",
  name: "Talk",
  description: null,
  kind: "video",
  durations_minutes: [30, 45],
  price: null,
  provider_ids: ["p1"],
  active: true,
  ...over,
});
const slot = (start: string, provider_id = "p1"): Slot => ({ start, end: start, provider_id });

describe("slotRefusal", () => {
  it("tells a time that is gone from one that somebody took, and both from other failures", () => {
    const refusal = (code: string) => slotRefusal(new ApiError(code, 409));
    expect(refusal("slot_taken")).toBe("taken");
    expect(
      ["slot_past", "slot_too_soon", "slot_too_far", "slot_not_offered"].map(refusal),
    ).toEqual(["gone", "gone", "gone", "gone"]);
    expect(refusal("idempotency_key_reused")).toBeNull();
    expect(slotRefusal(new Error("slot_taken"))).toBeNull();
  });
});

describe("activeServices", () => {
  it("leaves out what cannot be booked", () => {
    const organisation: Organisation = {
      slug: "o",
      name: "O",
      time_zone: "UTC",
      labels: { provider: "Doctor", client: "Patient" },
      providers: [{ id: "p1", slug: "p", name: "P", title: null, bio: null, time_zone: "UTC" }],
      services: [
        service(),
        service({ id: "s2", active: false }),
        service({ id: "s3", provider_ids: ["gone"] }),
      ],
    };
    expect(activeServices(organisation).map(({ id }) => id)).toEqual(["s1"]);
  });
});

describe("pickDuration", () => {
  it("takes the wanted one only if the service has it", () => {
    expect(pickDuration(service(), "45")).toBe(45);
    expect(pickDuration(service(), "60")).toBe(30);
    expect(pickDuration(service(), null)).toBe(30);
    expect(pickDuration(service({ durations_minutes: [] }), null)).toBe(30);
  });
});

describe("slots", () => {
  const answer = {
    time_zone: "UTC",
    days: [
      { date: "2026-11-24", slots: [] },
      {
        date: "2026-11-26",
        slots: [slot("2026-11-26T10:00:00Z", "p2"), slot("2026-11-26T09:00:00Z")],
      },
      {
        date: "2026-11-25",
        slots: [slot("2026-11-25T09:00:00Z", "p1"), slot("2026-11-25T09:00:00Z", "p2")],
      },
    ],
  };

  it("are in order, one a start", () => {
    const free = slotsByDate(answer);
    expect(free.get("2026-11-25")).toEqual([slot("2026-11-25T09:00:00Z", "p1")]);
    expect(free.get("2026-11-26")?.map(({ provider_id }) => provider_id)).toEqual(["p1", "p2"]);
    expect(free.get("2026-11-24")).toEqual([]);
  });

  it("know their first free date", () => {
    const free = slotsByDate(answer);
    expect(firstFreeDate(free)).toBe("2026-11-25");
    expect(firstFreeDate(free, "2026-11-26")).toBe("2026-11-26");
    expect(firstFreeDate(free, "2026-11-27")).toBeUndefined();
  });

  it("fall into parts of the day by the viewer's zone", () => {
    const slots = [slot("2026-11-25T10:30:00Z"), slot("2026-11-25T11:00:00Z")];
    expect(byPartOfDay(slots, "UTC").map(({ part }) => part)).toEqual(["morning"]);
    expect(byPartOfDay(slots, "Europe/Berlin").map(({ part }) => part)).toEqual([
      "morning",
      "afternoon",
    ]);
    expect(byPartOfDay(slots, "Asia/Tokyo").map(({ part }) => part)).toEqual(["evening"]);
  });
});

describe("checkDetails", () => {
  it("wants a name and an address that can be one", () => {
    expect(checkDetails(NO_DETAILS)).toEqual({ name: "name_missing", email: "email_missing" });
    const good = { name: "Ana", email: " ana@example.org ", phone: "", note: "" };
    expect(checkDetails(good)).toEqual({});
    for (const email of ["ana", "ana@", "@example.org", "ana@example", "a b@example.org"]) {
      expect(checkDetails({ ...good, email }).email, email).toBe("email_wrong");
    }
  });

  it("takes phone numbers as people write them", () => {
    const good = { name: "Ana", email: "ana@example.org", note: "" };
    for (const phone of ["+34 600 123 456", "(030) 12345-67", "030/1234567"]) {
      expect(checkDetails({ ...good, phone }), phone).toEqual({});
    }
    expect(checkDetails({ ...good, phone: "call me" }).phone).toBe("phone_wrong");
  });

  it("bounds the note", () => {
    const details = { name: "A", email: "a@b.org", phone: "", note: "x".repeat(2001) };
    expect(checkDetails(details).note).toBe("note_long");
  });
});

describe("randomKey", () => {
  it("is new each time", () => {
    expect(randomKey()).toMatch(/^[0-9a-f]{32}$/);
    expect(randomKey()).not.toBe(randomKey());
  });
});
