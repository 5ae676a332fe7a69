// The main job with two Chromiums over loopback.
import { describe } from 'node:test';

import { ChromiumPerson, launchChromium } from './lib/browsers.mjs';
import { describeConsultation } from './lib/consultation.mjs';
import { Mailbox } from './lib/mail.mjs';
import { Parley } from './lib/server.mjs';

describe('a consultation, the client in Chromium', () => {
  describeConsultation('chromium', async () => {
    const mailbox = await Mailbox.start();
    const [server, hers, his] = await Promise.all([
      Parley.start({ name: 'consultation', demo: true, smtp: mailbox.url }),
      launchChromium(),
      launchChromium(),
    ]);
    return {
      server,
      mailbox,
      hasSound: true,
      provider: await ChromiumPerson.at(hers, 'provider'),
      client: await ChromiumPerson.at(his, 'client'),
      async tearDown() {
        await Promise.all([hers.close(), his.close()]);
        await server.stop();
        await mailbox.stop();
      },
    };
  });
});
