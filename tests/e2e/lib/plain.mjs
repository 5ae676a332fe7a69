// A page with nothing but livekit-client, served from this folder, and people who use it.
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { ChromiumPerson } from './browsers.mjs';
import { here } from './paths.mjs';
import { accessToken } from './token.mjs';

const FILES = {
  '/': ['lib/plain.html', 'text/html; charset=utf-8'],
  '/plain.js': ['lib/plain.js', 'text/javascript'],
  '/encoded.js': ['lib/encoded.js', 'text/javascript'],
  '/livekit-client.umd.js': ['node_modules/livekit-client/dist/livekit-client.umd.js', 'text/javascript'],
};

export async function servePlainPage(host = '127.0.0.1') {
  const server = createServer((request, response) => {
    const found = FILES[new URL(request.url, 'http://x').pathname];
    if (!found) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': found[1] });
    createReadStream(join(here, found[0])).pipe(response);
  });
  await new Promise((done) => server.listen(0, host, done));
  return { url: `http://${host}:${server.address().port}/`, stop: () => new Promise((done) => server.close(done)) };
}

/** Somebody with the plain page open and connected to `room`. kind: the class of the person, as the browser is.
 * noteEncoded: see there. */
export async function plainClient(browser, page, options) {
  const { url, room, identity, token, noteEncoded = false, kind = ChromiumPerson } = options;
  const person = await kind.at(browser, identity);
  await person.open(page.url);
  if (noteEncoded) await person.evaluate(() => window.plain.noteEncoded());
  const signal = url.replace(/^http/, 'ws');
  await person.evaluate((argument) => window.plain.connect(argument), {
    url: signal,
    token: token ?? accessToken({ identity, room }),
    options: options.options ?? {},
  });
  return person;
}

/** A second client in the page of `person`, another participant of `room`: `window.control`. */
export function controlClient(person, { url, room, identity, options = {} }) {
  const argument = { url: url.replace(/^http/, 'ws'), token: accessToken({ identity, room }), options };
  return person.evaluate((given) => {
    window.plain.noteNoMore();
    return window.control.connect(given);
  }, argument);
}

export const plain = {
  publish: (person, options) => person.evaluate((o) => window.plain.publish(o), options ?? {}),
  others: (person) => person.evaluate(() => window.plain.others()),
  events: (person) => person.evaluate(() => window.plain.events),
  count: (person, kind) => person.evaluate((k) => window.plain.count(k), kind),
  data: (person) => person.evaluate(() => window.plain.data),
  send: (person, message) => person.evaluate((m) => window.plain.send(m), message),
};
