/** Picture-in-picture and full screen, where the browser has them. */
export function canPictureInPicture(): boolean {
  return "pictureInPictureEnabled" in document && document.pictureInPictureEnabled;
}

/** Floats the largest picture of somebody else. */
export async function togglePictureInPicture(root: HTMLElement | null): Promise<void> {
  if (document.pictureInPictureElement) {
    await document.exitPictureInPicture().catch(() => undefined);
    return;
  }
  const videos = [
    ...(root?.querySelectorAll<HTMLVideoElement>('[data-local="false"] video') ?? []),
  ];
  const area = (video: HTMLVideoElement) => video.clientWidth * video.clientHeight;
  const largest = videos.sort((a, b) => area(b) - area(a))[0];
  await largest?.requestPictureInPicture().catch(() => undefined);
}

export function canFullscreen(): boolean {
  return document.fullscreenEnabled;
}

export async function toggleFullscreen(root: HTMLElement | null): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen().catch(() => undefined);
  else await root?.requestFullscreen().catch(() => undefined);
}
