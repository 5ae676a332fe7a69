/** How loud a microphone is, as a bar of 0 to 1. */

const FLOOR_DB = -60;
const CEILING_DB = -12;
const FALL_PER_READ = 0.08;

/** Root mean square of samples in [-1, 1], on a decibel scale between a quiet room and loud speech. */
export function levelOf(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / samples.length);
  if (rms === 0) return 0;
  const db = 20 * Math.log10(rms);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}

/** Rises at once, falls slowly: easier to read than the raw value. */
export function smooth(previous: number, next: number): number {
  return next >= previous ? next : Math.max(next, previous - FALL_PER_READ);
}

export class LevelMeter {
  readonly #context: AudioContext;
  readonly #analyser: AnalyserNode;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #samples: Float32Array<ArrayBuffer>;
  readonly #resume = () => void this.#context.resume().catch(() => undefined);
  #level = 0;

  constructor(track: MediaStreamTrack) {
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
    // Browsers start audio contexts only after a gesture on the page.
    if (this.#context.state === "suspended") {
      this.#resume();
      document.addEventListener("pointerdown", this.#resume);
      document.addEventListener("keydown", this.#resume);
    }
  }

  read(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    this.#level = smooth(this.#level, levelOf(this.#samples));
    return this.#level;
  }

  close(): void {
    document.removeEventListener("pointerdown", this.#resume);
    document.removeEventListener("keydown", this.#resume);
    this.#source.disconnect();
    void this.#context.close().catch(() => undefined);
  }
}
