// Where things are; the environment overrides what ./parley test knows better.
import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const root = resolve(here, '../..');
export const binary = process.env.PARLEY_BIN ?? join(root, 'target/release/parley');
export const python = process.env.PARLEY_E2E_PYTHON ?? join(root, 'target/tools/e2e/bin/python');
export const results = process.env.PARLEY_E2E_RESULTS ?? join(root, 'test-results');

export function resultsFolder(name) {
  const folder = join(results, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function firstExecutable(wanted, candidates) {
  for (const path of candidates) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one.
    }
  }
  throw new Error(`${wanted} is not installed; looked for ${candidates.join(', ')}`);
}

export const chromiumPath = () =>
  process.env.PARLEY_CHROMIUM ??
  firstExecutable('Chromium', ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']);

export const firefoxPath = () =>
  process.env.PARLEY_FIREFOX ?? firstExecutable('Firefox', ['/usr/bin/firefox-esr', '/usr/bin/firefox']);

/** The library (Debian's `faketime`) under which a program believes that it is another time. */
export function faketimeLibrary() {
  const found = readdirSync('/usr/lib')
    .map((folder) => join('/usr/lib', folder, 'faketime/libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
  if (!found) throw new Error('faketime is not installed');
  return found;
}
