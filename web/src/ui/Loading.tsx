import type { CSSProperties } from "react";

/** Turns; silent for screen readers, whose owner says what is going on. */
export function Spinner({ small = false }: { small?: boolean }) {
  return <span className={`p-spinner${small ? " p-spinner-small" : ""}`} aria-hidden />;
}

export interface SkeletonProps {
  readonly width?: string;
  readonly height?: string;
}

/** Keeps the room of what is coming; visible only after 300 ms (in CSS). */
export function Skeleton({ width = "100%", height = "1.25rem" }: SkeletonProps) {
  const style: CSSProperties = { inlineSize: width, blockSize: height };
  return <span className="p-skeleton" style={style} aria-hidden />;
}

export interface LoadingProps {
  /** Said to screen readers. */
  readonly label: string;
  readonly lines?: number;
}

/** Lines of skeleton for a part that loads. */
export function Loading({ label, lines = 3 }: LoadingProps) {
  return (
    <div role="status" className="stack">
      <span className="visually-hidden">{label}</span>
      {Array.from({ length: lines }, (_, index) => (
        <Skeleton key={index} width={index === lines - 1 ? "60%" : "100%"} height="1.5rem" />
      ))}
    </div>
  );
}
