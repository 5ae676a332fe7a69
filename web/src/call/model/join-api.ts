import { apiUrl, joinApi, stream, type JoinView, type MediaToken } from "../../api";
import type { Client } from "./capability";

/** One link's part of the REST contract (docs/control.md). All methods throw an `ApiError`. */
export interface JoinApi {
  view(): Promise<JoinView>;
  enter(displayName: string, device: Client): Promise<JoinView>;
  mediaToken(): Promise<MediaToken>;
  /** Also while the page is being closed: the request outlives it. */
  leave(): Promise<void>;
  /** Calls back with each change until the returned function is called; reconnects by itself. */
  follow(onView: (view: JoinView) => void): () => void;
}

export function joinApiFor(token: string): JoinApi {
  return {
    view: () => joinApi.view(token),
    enter: (displayName, device) => joinApi.enter(token, displayName, device),
    mediaToken: () => joinApi.mediaToken(token),
    leave: async () => {
      // sendBeacon cannot carry the header against forged requests; keepalive fetch can.
      await fetch(apiUrl(`/join/${encodeURIComponent(token)}/leave`), {
        method: "POST",
        headers: { "X-Parley-CSRF": "1", "Content-Type": "application/json" },
        body: "{}",
        keepalive: true,
        credentials: "same-origin",
      });
    },
    follow: (onView) =>
      stream({
        url: joinApi.eventsUrl(token),
        events: { join: (data) => onView(data as JoinView) },
      }),
  };
}
