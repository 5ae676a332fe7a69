import { MicOff, MonitorUp, Pin, PinOff } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Avatar, IconButton } from "../../ui";
import { useCallText, type CallText } from "../call-messages";
import type { Quality } from "../media/media-room";
import type { Tile as TileState } from "../model/call-layout";
import { mark } from "../model/marks";
import { Bars } from "./Prejoin";

export interface TileProps {
  readonly tile: TileState;
  readonly pinned: boolean;
  /** The connection is broken: the picture stands still. */
  readonly frozen: boolean;
  /** The front camera's own picture, as in a mirror. */
  readonly mirrored: boolean;
  /** Pinning means nothing with one tile. */
  readonly canPin: boolean;
  readonly onPin: () => void;
  readonly small?: boolean;
}

export function qualityWord(quality: Quality, t: CallText): string {
  switch (quality) {
    case "excellent":
      return t("quality.excellent");
    case "good":
      return t("quality.good");
    case "poor":
      return t("quality.poor");
    case "lost":
      return t("quality.lost");
    case "unknown":
      return t("quality.unknown");
  }
}

const TONES: Record<Quality, string> = {
  excellent: "good",
  good: "fair",
  poor: "poor",
  lost: "bad",
  unknown: "none",
};

/** Signal bars whose words show on hover and on focus. */
export function QualityBars({ quality, isStop = true }: { quality: Quality; isStop?: boolean }) {
  const t = useCallText();
  const words = qualityWord(quality, t);
  return (
    <span
      className="c-quality"
      role="img"
      aria-label={words}
      tabIndex={isStop ? 0 : undefined}
      data-quality={quality}
    >
      <Bars tone={TONES[quality]} />
      <span className="c-tip" aria-hidden>
        {words}
      </span>
    </span>
  );
}

export function tileName(tile: TileState, t: CallText): string {
  const name = tile.name === "" ? t("tile.guest") : tile.name;
  if (tile.kind === "screen")
    return tile.isLocal ? t("tile.your_screen") : t("tile.screen_of", { name });
  return tile.isLocal ? t("tile.you", { name }) : name;
}

export function Tile({ tile, pinned, frozen, mirrored, canPin, onPin, small = false }: TileProps) {
  const t = useCallText();
  const name = tileName(tile, t);
  const stalled = frozen || (tile.quality === "lost" && !tile.isLocal);
  const classes = [
    "c-tile",
    `c-tile-${tile.kind}`,
    small && "c-tile-small",
    tile.speaking && "c-tile-speaking",
    stalled && "c-tile-frozen",
  ];
  return (
    <figure
      className={classes.filter(Boolean).join(" ")}
      data-testid="tile"
      data-identity={tile.identity}
      data-kind={tile.kind}
      data-local={tile.isLocal}
      data-video={tile.video !== null}
    >
      {tile.video ? (
        <TileVideo key={tile.video.id} tile={tile} mirrored={mirrored} label={name} />
      ) : (
        <div className="c-plate">
          <Avatar name={tile.name === "" ? "?" : tile.name} size={small ? 40 : 88} />
        </div>
      )}
      {stalled && !frozen && <span className="c-tile-stalled">{t("tile.stalled")}</span>}
      <figcaption className="c-tile-caption">
        {tile.kind === "screen" && <MonitorUp size={16} aria-hidden />}
        {tile.kind === "person" && !tile.microphoneOn && (
          <span role="img" aria-label={t("tile.muted")} className="c-tile-muted">
            <MicOff size={16} aria-hidden />
          </span>
        )}
        <bdi className="c-tile-name">{name}</bdi>
        {tile.kind === "person" && <QualityBars quality={tile.quality} />}
      </figcaption>
      {canPin && (
        <IconButton
          icon={pinned ? PinOff : Pin}
          label={pinned ? t("tile.unpin", { name }) : t("tile.pin", { name })}
          className={pinned ? "c-pin c-pinned" : "c-pin"}
          aria-pressed={pinned}
          onPress={onPin}
        />
      )}
    </figure>
  );
}

function TileVideo({
  tile,
  mirrored,
  label,
}: {
  tile: TileState;
  mirrored: boolean;
  label: string;
}) {
  const ref = useRef<HTMLVideoElement>(null);
  const [isTall, setIsTall] = useState(false);
  const { video, isLocal, kind } = tile;
  useEffect(() => {
    const element = ref.current;
    if (!element || !video) return;
    video.attach(element);
    if (!isLocal) markFirstFrame(element);
    return () => video.detach(element);
  }, [video, isLocal]);
  return (
    <video
      ref={ref}
      className={`c-video${mirrored ? " c-mirrored" : ""}${kind === "screen" || isTall ? " c-whole" : ""}`}
      aria-label={label}
      playsInline
      autoPlay
      muted
      onResize={({ currentTarget }) =>
        setIsTall(currentTarget.videoHeight > currentTarget.videoWidth)
      }
    />
  );
}

function markFirstFrame(element: HTMLVideoElement): void {
  if ("requestVideoFrameCallback" in element)
    element.requestVideoFrameCallback(() => mark("first-frame"));
  else
    (element as HTMLVideoElement).addEventListener("loadeddata", () => mark("first-frame"), {
      once: true,
    });
}
