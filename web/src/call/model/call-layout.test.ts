import { describe, expect, it } from "vitest";
import type { PeerSnapshot, VideoHandle } from "../media/media-room";
import { focusOf, gridShape, MAX_TILES, tilesOf } from "./call-layout";

const video = (id: string): VideoHandle => ({ id, attach: () => {}, detach: () => {} });

function peer(identity: string, change: Partial<PeerSnapshot> = {}): PeerSnapshot {
  return {
    identity,
    name: identity.toUpperCase(),
    isLocal: false,
    speaking: false,
    quality: "good",
    joinedMs: 0,
    microphoneOn: true,
    cameraOn: true,
    camera: video(`${identity}-camera`),
    screen: null,
    ...change,
  };
}

const me = peer("me", { isLocal: true });

describe("tilesOf", () => {
  it("puts screens first, then people as they came, oneself last", () => {
    const tiles = tilesOf([
      me,
      peer("late", { joinedMs: 2 }),
      peer("early", { joinedMs: 1, screen: video("s") }),
    ]);
    expect(tiles.map(({ id }) => id)).toEqual([
      "early/screen",
      "early/person",
      "late/person",
      "me/person",
    ]);
  });

  it("shows no picture of a camera that is off", () => {
    expect(tilesOf([peer("a", { cameraOn: false })])[0]?.video).toBeNull();
  });

  it("does not outline somebody who is muted", () => {
    expect(tilesOf([peer("a", { speaking: true, microphoneOn: false })])[0]?.speaking).toBe(false);
  });

  it("has a bound, and keeps oneself in it", () => {
    const crowd = Array.from({ length: 60 }, (_, index) => peer(`p${index}`, { joinedMs: index }));
    const tiles = tilesOf([...crowd, me]);
    expect(tiles).toHaveLength(MAX_TILES);
    expect(tiles.at(-1)?.isLocal).toBe(true);
  });
});

describe("focusOf", () => {
  const two = (aSpeaks: boolean, bSpeaks: boolean) =>
    tilesOf([
      peer("a", { speaking: aSpeaks, joinedMs: 1 }),
      peer("b", { speaking: bSpeaks, joinedMs: 2 }),
      me,
    ]);

  it("follows who speaks, and stays when it gets quiet", () => {
    const first = focusOf(two(false, true), null, null);
    expect(first?.identity).toBe("b");
    expect(focusOf(two(false, false), null, "b/person")?.identity).toBe("b");
    expect(focusOf(two(true, false), null, "b/person")?.identity).toBe("a");
  });

  it("does not flicker while both speak", () => {
    expect(focusOf(two(true, true), null, "b/person")?.identity).toBe("b");
  });

  it("prefers what is pinned, then a screen", () => {
    const tiles = tilesOf([peer("a", { speaking: true }), peer("b", { screen: video("s") }), me]);
    expect(focusOf(tiles, "me/person", null)?.identity).toBe("me");
    expect(focusOf(tiles, null, null)?.id).toBe("b/screen");
    expect(focusOf(tiles, "gone/person", null)?.id).toBe("b/screen");
  });

  it("shows oneself when alone, and never one's own screen large", () => {
    expect(focusOf(tilesOf([{ ...me, screen: video("s") }]), null, null)?.id).toBe("me/person");
    expect(focusOf([], null, null)).toBeNull();
  });
});

describe("gridShape", () => {
  it.each([
    [1, 1280, 700, 1],
    [2, 1280, 700, 2],
    [2, 360, 640, 1],
    [4, 1280, 700, 2],
    [6, 1280, 700, 3],
    [9, 1280, 700, 3],
  ])("%i tiles in %i by %i", (count, width, height, columns) => {
    const shape = gridShape(count, width, height, 8);
    expect(shape.columns).toBe(columns);
    const rows = Math.ceil(count / columns);
    expect(shape.width * columns + 8 * (columns - 1)).toBeLessThanOrEqual(width);
    expect(shape.height * rows + 8 * (rows - 1)).toBeLessThanOrEqual(height);
    expect(shape.width / shape.height).toBeLessThanOrEqual(1.79);
  });

  it("has no size in a box without one", () => {
    expect(gridShape(2, 0, 0, 8)).toEqual({ columns: 1, width: 0, height: 0 });
  });
});
