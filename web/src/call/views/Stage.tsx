import { useMemo, useState, type CSSProperties, type ReactNode } from "react";
import { useCallText } from "../call-messages";
import type { CallModel } from "../model/call-model";
import { gridShape, type Tile as TileState } from "../model/call-layout";
import type { DeviceModel } from "../model/device-model";
import { useSize, useStore } from "./hooks";
import { Tile } from "./Tile";

const GAP = 8;

export interface StageProps {
  readonly call: CallModel;
  readonly devices: DeviceModel;
  /** Said where the others will be. */
  readonly alone: string;
}

/** The pictures: all alike, or one large with the others beside it. */
export function Stage({ call, devices, alone }: StageProps) {
  const t = useCallText();
  const state = useStore(call.store);
  const { facing } = useStore(devices.store);
  const { tiles, layout, focusId, pinnedId, connection, established } = state;
  const frozen = established && connection !== "connected" && connection !== "resuming";
  const show = (tile: TileState, small = false) => (
    <Tile
      key={tile.id}
      tile={tile}
      pinned={tile.id === pinnedId}
      frozen={frozen && !tile.isLocal}
      mirrored={tile.isLocal && tile.kind === "person" && facing === "user"}
      canPin={tiles.length > 2}
      onPin={() => call.togglePin(tile.id)}
      small={small}
    />
  );
  const others = tiles.filter((tile) => !tile.isLocal || tile.kind === "screen");
  const self = tiles.find((tile) => tile.isLocal && tile.kind === "person");
  if (others.length === 0) {
    return (
      <section className="c-stage c-stage-alone" aria-label={t("call.stage")} data-layout="alone">
        {self && show(self)}
        <p className="c-alone" role="status">
          {established ? alone : t("call.connecting")}
        </p>
      </section>
    );
  }
  if (layout === "grid" && pinnedId === null)
    return <Grid tiles={tiles} show={show} label={t("call.stage")} />;
  const focus = tiles.find((tile) => tile.id === focusId) ?? others[0];
  if (!focus) return null;
  const strip = tiles.filter((tile) => tile.id !== focus.id);
  // Face to face: one's own picture floats in the corner.
  const floats = strip.length === 1;
  return (
    <section
      className={`c-stage c-stage-speaker${floats ? " c-stage-floating" : ""}`}
      aria-label={t("call.stage")}
      data-layout="speaker"
    >
      <div className="c-focus">{show(focus)}</div>
      {strip.length > 0 && <div className="c-strip">{strip.map((tile) => show(tile, true))}</div>}
    </section>
  );
}

interface GridProps {
  readonly tiles: readonly TileState[];
  readonly show: (tile: TileState) => ReactNode;
  readonly label: string;
}

function Grid({ tiles, show, label }: GridProps) {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const { width, height } = useSize(element);
  const shape = useMemo(
    () => gridShape(tiles.length, width, height, GAP),
    [tiles.length, width, height],
  );
  return (
    <section
      ref={setElement}
      className="c-stage c-stage-grid"
      style={
        {
          "--c-tile-width": `${shape.width}px`,
          "--c-tile-height": `${shape.height}px`,
        } as CSSProperties
      }
      aria-label={label}
      data-layout="grid"
    >
      {tiles.map((tile) => show(tile))}
    </section>
  );
}
