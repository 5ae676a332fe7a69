import type { PeerSnapshot, Quality, VideoHandle } from "../media/media-room";

/** One picture of the stage: a person, or a shared screen. */
export interface Tile {
  readonly id: string;
  readonly identity: string;
  readonly name: string;
  readonly kind: "person" | "screen";
  readonly isLocal: boolean;
  readonly video: VideoHandle | null;
  readonly microphoneOn: boolean;
  readonly speaking: boolean;
  readonly quality: Quality;
}

export type Layout = "grid" | "speaker";

/** More tiles than this make each too small to be of use; the list of participants names the others. */
export const MAX_TILES = 25;

/** Screens first, then people in the order in which they came, oneself last. */
export function tilesOf(peers: readonly PeerSnapshot[]): Tile[] {
  const ordered = [...peers].sort(
    (a, b) =>
      Number(a.isLocal) - Number(b.isLocal) ||
      a.joinedMs - b.joinedMs ||
      (a.identity < b.identity ? -1 : 1),
  );
  const tile = (peer: PeerSnapshot, kind: Tile["kind"]): Tile => ({
    id: `${peer.identity}/${kind}`,
    identity: peer.identity,
    name: peer.name,
    kind,
    isLocal: peer.isLocal,
    video: kind === "screen" ? peer.screen : peer.cameraOn ? peer.camera : null,
    microphoneOn: peer.microphoneOn,
    speaking: kind === "person" && peer.speaking && peer.microphoneOn,
    quality: peer.quality,
  });
  const screens = ordered
    .filter((peer) => peer.screen !== null)
    .map((peer) => tile(peer, "screen"));
  const people = ordered.map((peer) => tile(peer, "person"));
  const self = people.filter((one) => one.isLocal);
  const others = [...screens, ...people.filter((one) => !one.isLocal)];
  return [...others.slice(0, MAX_TILES - self.length), ...self];
}

/**
 * Who is large in the speaker layout: what is pinned, else a shared screen, else who speaks. Somebody who has stopped
 * stays until another starts, so that the stage does not flicker in a dialogue.
 */
export function focusOf(
  tiles: readonly Tile[],
  pinnedId: string | null,
  previousId: string | null,
): Tile | null {
  const byId = (id: string | null) => tiles.find((tile) => tile.id === id) ?? null;
  const pinned = byId(pinnedId);
  if (pinned) return pinned;
  const screen = tiles.find((tile) => tile.kind === "screen" && !tile.isLocal);
  if (screen) return screen;
  const people = tiles.filter((tile) => tile.kind === "person" && !tile.isLocal);
  const previous = people.find((tile) => tile.id === previousId);
  if (previous?.speaking) return previous;
  return (
    people.find((tile) => tile.speaking) ??
    previous ??
    people[0] ??
    tiles.find((tile) => tile.isLocal && tile.kind === "person") ??
    null
  );
}

export interface GridShape {
  readonly columns: number;
  /** Of each tile, in the unit of the box. */
  readonly width: number;
  readonly height: number;
}

const WIDEST = 16 / 9;

/** The columns that make tiles largest in a box of this size, and how large: 16:9, or taller where there is room. */
export function gridShape(count: number, width: number, height: number, gap: number): GridShape {
  // In a tall box (a phone held upright) a face fills a square better.
  const tallest = height > width ? 1 : 4 / 3;
  let best: GridShape = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const tileWidth = Math.floor(Math.min(cellWidth, cellHeight * WIDEST));
    const tileHeight = Math.floor(Math.min(cellHeight, tileWidth / tallest));
    if (tileWidth > 0 && tileWidth * tileHeight > best.width * best.height) {
      best = { columns, width: tileWidth, height: tileHeight };
    }
  }
  return best;
}
