// A microphone that somebody talks into: the fake device of Chromium only beeps, which is no speech.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { resultsFolder } from './paths.mjs';

const SAMPLE_RATE = 48_000;
const SECONDS = 10;
const SYLLABLE_SECONDS = 0.24;
const GAP_SECONDS = 0.06;
/** Harmonics of a voice, and what is left of them by formants. */
const PITCH_HZ = 130;
const HARMONICS = [0.5, 0.9, 1, 0.8, 0.5, 0.3, 0.35, 0.4, 0.25, 0.15];
/** Of full scale, about -16 dBov. */
const AMPLITUDE = 0.16;

function sample(seconds) {
  const within = seconds % (SYLLABLE_SECONDS + GAP_SECONDS);
  if (within > SYLLABLE_SECONDS) return 0;
  const swell = Math.sin((Math.PI * within) / SYLLABLE_SECONDS) ** 0.5;
  const glide = 1 + 0.1 * Math.sin(2 * Math.PI * 0.7 * seconds);
  const phase = 2 * Math.PI * PITCH_HZ * glide * within;
  const voice = HARMONICS.reduce((sum, weight, index) => sum + weight * Math.sin(phase * (index + 1)), 0);
  return AMPLITUDE * swell * voice;
}

/** The flag of Chromium whose microphone says these syllables for ever (16 bit PCM, one channel, WAV). */
export function talkingMicrophone() {
  const count = SAMPLE_RATE * SECONDS;
  const wav = Buffer.alloc(44 + count * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(SAMPLE_RATE, 24);
  wav.writeUInt32LE(SAMPLE_RATE * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(count * 2, 40);
  for (let index = 0; index < count; index += 1) {
    const value = Math.max(-1, Math.min(1, sample(index / SAMPLE_RATE)));
    wav.writeInt16LE(Math.round(value * 32_767), 44 + index * 2);
  }
  const file = join(resultsFolder('sound'), `speech-${process.pid}.wav`);
  writeFileSync(file, wav);
  return `--use-file-for-fake-audio-capture=${file}`;
}
