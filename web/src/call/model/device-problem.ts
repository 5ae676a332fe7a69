/** Why a camera, a microphone or a screen cannot be used, in terms that a page can explain. */
export type DeviceProblem =
  | "denied" // by the person or a policy of the browser
  | "denied_by_system" // the browser may, the operating system says no
  | "not_found"
  | "in_use" // by another program, or the hardware failed to start
  | "lost" // unplugged while in use
  | "insecure" // no HTTPS: the browser hides the devices
  | "unsupported"
  | "failed";

/** Sorts what getUserMedia and getDisplayMedia throw (W3C Media Capture and Streams, section 10.2.2). */
export function deviceProblem(error: unknown): DeviceProblem {
  const { name = "", message = "" } = (error ?? {}) as { name?: string; message?: string };
  switch (name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
      return /system/i.test(message) ? "denied_by_system" : "denied";
    case "SecurityError":
      return "insecure";
    case "NotFoundError":
    case "DevicesNotFoundError":
    case "OverconstrainedError":
      return "not_found";
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return "in_use";
    case "TypeError":
      return "unsupported";
    default:
      return "failed";
  }
}

/** Asking again with the same constraints is of no use after these. */
export function isRefusal(problem: DeviceProblem): boolean {
  return (
    problem === "denied" ||
    problem === "denied_by_system" ||
    problem === "insecure" ||
    problem === "unsupported"
  );
}
