// The main job with Firefox as the client, over HTTPS with the server's own certificate, across a veth pair.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ChromiumPerson, FirefoxPerson, launchChromium, launchFirefox } from './lib/browsers.mjs';
import { describeConsultation } from './lib/consultation.mjs';
import { Mailbox } from './lib/mail.mjs';
import { insideNamespaces, namespaces, SERVER_ADDRESS } from './lib/netns.mjs';
import { Parley } from './lib/server.mjs';

const inner = namespaces();

if (!inner) {
  test('a consultation with Firefox, in network namespaces', async () => {
    assert.equal(await insideNamespaces(import.meta.url, 'ff'), 0);
  });
} else {
  describe('a consultation, the client in Firefox', () => {
    describeConsultation('firefox', async () => {
      const mailbox = await Mailbox.start({ host: SERVER_ADDRESS, netns: inner.server });
      const [server, chromium, firefox] = await Promise.all([
        Parley.start({ name: 'firefox', demo: true, smtp: mailbox.url, host: SERVER_ADDRESS, https: true, netns: inner.server }),
        launchChromium(),
        launchFirefox(),
      ]);
      return {
        server,
        mailbox,
        hasSound: false,
        provider: await ChromiumPerson.at(chromium, 'provider'),
        client: await FirefoxPerson.at(firefox, 'client'),
        async tearDown() {
          await Promise.all([chromium.close(), firefox.close()]);
          await server.stop();
          await mailbox.stop();
        },
      };
    });
  });
}
