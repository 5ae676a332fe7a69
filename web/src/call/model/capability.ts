/** What this browser can do, and what it calls itself: for advice in its own words and for the provider's list. */
export type BrowserName = "chrome" | "edge" | "firefox" | "safari" | "opera" | "samsung" | "other";
export type SystemName = "windows" | "macos" | "linux" | "android" | "ios" | "chromeos" | "other";
export type DeviceKind = "desktop" | "phone" | "tablet";

export interface Client {
  browser: BrowserName;
  os: SystemName;
  kind: DeviceKind;
}

export type Support = "ok" | "insecure" | "no_capture" | "unsupported";

interface NavigatorFacts {
  userAgent: string;
  maxTouchPoints?: number;
}

export function detectClient(facts: NavigatorFacts): Client {
  const agent = facts.userAgent;
  const os = detectSystem(agent, facts.maxTouchPoints ?? 0);
  return { browser: detectBrowser(agent), os, kind: detectKind(agent, os) };
}

function detectBrowser(agent: string): BrowserName {
  if (/Edg(e|A|iOS)?\//.test(agent)) return "edge";
  if (/OPR\/|Opera/.test(agent)) return "opera";
  if (/SamsungBrowser\//.test(agent)) return "samsung";
  if (/Firefox\/|FxiOS\//.test(agent)) return "firefox";
  if (/Chrome\/|Chromium\/|CriOS\//.test(agent)) return "chrome";
  if (/Safari\//.test(agent)) return "safari";
  return "other";
}

function detectSystem(agent: string, touchPoints: number): SystemName {
  if (/iPhone|iPad|iPod/.test(agent)) return "ios";
  // iPadOS calls itself a Mac; no Mac has a touch screen.
  if (/Macintosh/.test(agent)) return touchPoints > 1 ? "ios" : "macos";
  if (/Android/.test(agent)) return "android";
  if (/CrOS/.test(agent)) return "chromeos";
  if (/Windows/.test(agent)) return "windows";
  if (/Linux|X11/.test(agent)) return "linux";
  return "other";
}

function detectKind(agent: string, os: SystemName): DeviceKind {
  if (os === "ios") return /iPhone|iPod/.test(agent) ? "phone" : "tablet";
  if (os === "android") return /Mobile/.test(agent) ? "phone" : "tablet";
  return "desktop";
}

interface BrowserFacts {
  isSecureContext: boolean;
  hasPeerConnection: boolean;
  hasMediaDevices: boolean;
}

/** A call needs WebRTC. Without capture one can still watch and listen. */
export function detectSupport(facts: BrowserFacts): Support {
  if (!facts.hasPeerConnection) return "unsupported";
  if (facts.hasMediaDevices) return "ok";
  return facts.isSecureContext ? "no_capture" : "insecure";
}

export function thisClient(): Client {
  return detectClient(navigator);
}

export function thisSupport(): Support {
  return detectSupport({
    isSecureContext: window.isSecureContext,
    hasPeerConnection: typeof RTCPeerConnection === "function",
    hasMediaDevices: typeof navigator.mediaDevices?.getUserMedia === "function",
  });
}

export function canShareScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === "function";
}

export function canChooseSpeaker(): boolean {
  return typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;
}
