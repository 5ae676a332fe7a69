// A network that lets web pages through and neither UDP nor TCP to the media port: the page says so and what to
// do. (Where only UDP is blocked the call goes on, see transports.test.mjs.)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Api } from './lib/api.mjs';
import { ChromiumPerson, launchChromium, PHONE } from './lib/browsers.mjs';
import { DOCTOR, inPhase, join, openLink } from './lib/flow.mjs';
import { blockUdp, insideNamespaces, namespaces, SERVER_ADDRESS } from './lib/netns.mjs';
import { Parley } from './lib/server.mjs';

const inner = namespaces();

if (!inner) {
  test('a blocked network, in network namespaces', async () => {
    assert.equal(await insideNamespaces(import.meta.url, 'bl'), 0);
  });
} else {
  describe('media is blocked', () => {
    let server;
    let browser;
    let someone;
    let lift = () => {};

    before(async () => {
      [server, browser] = await Promise.all([
        Parley.start({ name: 'blocked', demo: true, host: SERVER_ADDRESS, https: true, netns: inner.server }),
        launchChromium(),
      ]);
      someone = await ChromiumPerson.at(browser, 'client');
    });

    after(async () => {
      lift();
      await browser?.close();
      await server?.stop();
    });

    test('the call page names the network as the cause, with a next step', async () => {
      const api = await Api.signedIn(server, server.demoLogin(DOCTOR));
      const booked = await api.bookVideo();
      lift = blockUdp({ tcpPorts: [server.tcpPort] });
      await openLink(someone, booked.link);
      await join(someone);
      await inPhase(someone, 'waiting');
      await api.call('POST', `/appointments/${booked.appointment.id}/start`);
      await api.call('POST', `/appointments/${booked.appointment.id}/admit-all`);
      await inPhase(someone, 'error', 90_000);
      await someone.seeText('This network does not let the call through');
      await someone.seeText(/Try another network/);
      await someone.see('button', 'Try again');
      await someone.shot('error-network-blocked');
      await someone.resize(PHONE);
      await someone.shot('error-network-blocked-phone');
    });

    test('after a change of network “Try again” connects', async () => {
      lift();
      lift = () => {};
      await someone.click('button', 'Try again');
      await inPhase(someone, 'in_call', 30_000);
    });
  });
}
