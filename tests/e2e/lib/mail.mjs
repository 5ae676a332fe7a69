// A real SMTP server (aiosmtpd) that keeps what it is sent.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { here, python } from './paths.mjs';
import { freeTcpPort } from './ports.mjs';
import { until } from './wait.mjs';

export class Mailbox {
  static async start({ host = '127.0.0.1', netns } = {}) {
    const box = new Mailbox();
    box.host = host;
    box.port = await freeTcpPort();
    box.messages = [];
    const inside = netns ? ['ip', 'netns', 'exec', netns] : [];
    const [command, ...args] = [...inside, python, join(here, 'lib/smtp_capture.py'), host, String(box.port)];
    box.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', () => box.child.kill());
    let ready = false;
    createInterface({ input: box.child.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.port) ready = true;
      else box.messages.push(message);
    });
    await until('the mail server listens', () => ready);
    return box;
  }

  get url() {
    return `smtp://${this.host}:${this.port}`;
  }

  /** The first message to that address that `fits`. */
  message(to, fits = () => true) {
    return until(`a mail to ${to}`, () => this.messages.find((mail) => mail.to.includes(to) && fits(mail)), {
      timeout: 30_000,
    });
  }

  async stop() {
    this.child.stdin.end();
    await new Promise((done) => this.child.once('exit', done));
  }
}

/** The path of the first link in a mail that begins with `prefix`, such as `/j/`. */
export function linkIn(mail, prefix) {
  const found = [...`${mail.text}\n${mail.html}`.matchAll(/https?:\/\/[^\s"'<>)]+/g)]
    .map(([address]) => new URL(address.replace(/[.,;]+$/, '')))
    .find((address) => address.pathname.startsWith(prefix));
  if (!found) throw new Error(`the mail “${mail.subject}” has no link to ${prefix}:\n${mail.text}`);
  return found;
}
