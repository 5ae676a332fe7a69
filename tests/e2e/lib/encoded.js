// Runs in a worker: tells of each encoded picture that passes, and lets it go on.
/* global onrtctransform:writable */
onrtctransform = ({ transformer }) => {
  const note = new TransformStream({
    transform(picture, controller) {
      const { width, spatialIndex } = picture.getMetadata();
      postMessage({ at: performance.timeOrigin + performance.now(), width, spatialIndex });
      controller.enqueue(picture);
    },
  });
  transformer.readable.pipeThrough(note).pipeTo(transformer.writable);
};
