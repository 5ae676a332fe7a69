import { memberApi } from "./endpoints";
import { stream, type StreamOptions } from "./sse";

/**
 * The stream of a signed-in member. EventSource hides why it broke, so after a break `/me` is asked:
 * when the session has ended, its answer is told to `onSignedOut`. Returns a function that ends it.
 */
export function memberStream(options: Omit<StreamOptions, "url">): () => void {
  let isAsking = false;
  return stream({
    ...options,
    url: memberApi.dashboardUrl(),
    onState: (state) => {
      options.onState?.(state);
      if (state !== "broken" || isAsking) return;
      isAsking = true;
      void memberApi
        .me()
        .catch(() => undefined)
        .finally(() => {
          isAsking = false;
        });
    },
  });
}
