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

/** The number of columns that makes tiles of 16:9 largest in a box of this size (any unit). */
export function gridColumns(count: number, width: number, height: number, gap: number): number {
  let best = 1;
  let bestArea = 0;
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const tileWidth = Math.min(cellWidth, (cellHeight * 16) / 9);
    const area = tileWidth > 0 ? tileWidth : 0;
    if (area > bestArea) {
      best = columns;
      bestArea = area;
    }
  }
  return best;
}
