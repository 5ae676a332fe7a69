// Over what a page's media goes, and how long pictures stood still.

/** Runs in the page: notes the instant of every picture shown of somebody else. */
function watchPictures(selector) {
  window.__pictures = [];
  const video = [...document.querySelectorAll(selector)].find((element) => element.videoWidth > 0);
  const note = () => {
    window.__pictures.push(Date.now());
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}

/** `selector` finds the videos of others. */
export const startWatching = (person, selector = 'video') => person.evaluate(watchPictures, selector);

/** The longest time without a new picture after `since` (ms), up to now, and the last second's pictures. */
export async function stillness(person, since) {
  const { pictures, now } = await person.evaluate(() => ({ pictures: window.__pictures, now: Date.now() }));
  const later = [since, ...pictures.filter((at) => at > since), now];
  const gaps = later.slice(1).map((at, index) => at - later[index]);
  return { longest: Math.max(...gaps), lately: pictures.filter((at) => at > now - 1_000).length };
}

/** Protocol, ports and addresses of the path that each connection of the page uses. */
export function selectedPaths(person) {
  return person.evaluate(async () => {
    const paths = [];
    for (const peer of window.__parleyTest.peers) {
      if (peer.connectionState === 'closed') continue;
      const reports = await peer.getStats();
      const transport = [...reports.values()].find(({ type }) => type === 'transport');
      const pair = transport?.selectedCandidatePairId
        ? reports.get(transport.selectedCandidatePairId)
        : [...reports.values()].find(({ type, selected }) => type === 'candidate-pair' && selected);
      if (!pair) continue;
      const [local, remote] = [reports.get(pair.localCandidateId), reports.get(pair.remoteCandidateId)];
      paths.push({ protocol: local.protocol, port: local.port, address: local.address, remotePort: remote.port });
    }
    return paths;
  });
}
