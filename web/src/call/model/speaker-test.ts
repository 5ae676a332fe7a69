/** Three soft notes on the chosen speaker. Resolves when they have been played. */
const NOTES_HZ = [523.25, 659.25, 783.99];
const NOTE_S = 0.28;
const VOLUME = 0.2;

export async function playTestSound(speakerId: string): Promise<void> {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  const element = new Audio();
  element.srcObject = output.stream;
  try {
    if (speakerId !== "" && "setSinkId" in element)
      await element.setSinkId(speakerId).catch(() => undefined);
    await context.resume();
    await element.play();
    const start = context.currentTime + 0.05;
    NOTES_HZ.forEach((pitch, index) => note(context, output, pitch, start + index * NOTE_S));
    await new Promise((resolve) => setTimeout(resolve, (NOTES_HZ.length * NOTE_S + 0.5) * 1000));
  } finally {
    element.pause();
    element.srcObject = null;
    void context.close().catch(() => undefined);
  }
}

function note(context: AudioContext, output: AudioNode, pitch: number, at: number): void {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = pitch;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(VOLUME, at + 0.03);
  gain.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S * 1.6);
  oscillator.connect(gain).connect(output);
  oscillator.start(at);
  oscillator.stop(at + NOTE_S * 1.7);
}
