import { useEffect, useRef } from "react";

export interface SelfVideoProps {
  readonly track: MediaStreamTrack;
  /** As in a mirror, which is how people know themselves; not for the back camera. */
  readonly mirrored: boolean;
  readonly label: string;
}

export function SelfVideo({ track, mirrored, label }: SelfVideoProps) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    element.srcObject = new MediaStream([track]);
    void element.play().catch(() => undefined);
    return () => {
      element.srcObject = null;
    };
  }, [track]);
  return (
    <video
      ref={ref}
      className={mirrored ? "c-video c-mirrored" : "c-video"}
      aria-label={label}
      playsInline
      autoPlay
      muted
      disablePictureInPicture
    />
  );
}
