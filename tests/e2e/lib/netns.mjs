// Two network namespaces joined by a veth pair, for what does not work or cannot be shown on loopback:
// Firefox's ICE, and a firewall between client and server. Made and removed by the test that uses them.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const SERVER_ADDRESS = '10.231.7.1';
export const BROWSER_ADDRESS = '10.231.7.2';
const INSIDE = 'PARLEY_E2E_NETNS';

const privileged = process.getuid() === 0 ? [] : ['sudo', '-n'];

function command(...words) {
  const [program, ...args] = [...privileged, ...words];
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${error?.message ?? stderr}`);
}

export class Namespaces {
  constructor(prefix) {
    const label = `${prefix}${process.pid}`; // Runs side by side do not meet.
    this.server = `parley-s-${label}`;
    this.browser = `parley-b-${label}`;
    // Interface names have at most 15 characters.
    const [left, right] = [`ps${label}`.slice(0, 15), `pb${label}`.slice(0, 15)];
    try {
      for (const name of [this.server, this.browser]) {
        command('ip', 'netns', 'add', name);
        command('ip', '-n', name, 'link', 'set', 'lo', 'up');
      }
      command('ip', '-n', this.server, 'link', 'add', left, 'type', 'veth', 'peer', 'name', right, 'netns', this.browser);
      for (const [name, link, address] of [
        [this.server, left, SERVER_ADDRESS],
        [this.browser, right, BROWSER_ADDRESS],
      ]) {
        command('ip', '-n', name, 'addr', 'add', `${address}/24`, 'dev', link);
        command('ip', '-n', name, 'link', 'set', link, 'up');
      }
      // Browsers ask the route to a public address which interface is theirs.
      command('ip', '-n', this.browser, 'route', 'add', 'default', 'via', SERVER_ADDRESS);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  remove() {
    for (const name of [this.server, this.browser]) {
      const [program, ...args] = [...privileged, 'ip', 'netns', 'del', name];
      spawnSync(program, args);
    }
  }
}

/** Names of the namespaces when this process is the inner one of `insideNamespaces`. */
export const namespaces = () => (process.env[INSIDE] ? JSON.parse(process.env[INSIDE]) : undefined);

/** Drops UDP that leaves the browsers' namespace, as strict firewalls do; the result lifts it. */
export function blockUdp() {
  const { browser } = namespaces();
  const nft = (...words) => command('ip', 'netns', 'exec', browser, 'nft', ...words);
  nft('add', 'table', 'inet', 'parley');
  nft('add', 'chain', 'inet', 'parley', 'out', '{ type filter hook output priority 0 ; }');
  nft('add', 'rule', 'inet', 'parley', 'out', 'oifname', '!=', 'lo', 'meta', 'l4proto', 'udp', 'drop');
  return () => nft('delete', 'table', 'inet', 'parley');
}

/** Runs a test file again inside the browsers' namespace; resolves with its exit code. */
export async function insideNamespaces(moduleUrl, prefix) {
  const made = new Namespaces(prefix);
  const onExit = () => made.remove();
  process.once('exit', onExit);
  try {
    const env = { ...process.env, [INSIDE]: JSON.stringify({ server: made.server, browser: made.browser }) };
    delete env.NODE_TEST_CONTEXT;
    const [program, ...args] = [
      ...privileged, 'ip', 'netns', 'exec', made.browser,
      process.execPath, '--test', '--test-force-exit', '--test-reporter=spec', fileURLToPath(moduleUrl),
    ];
    const child = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
    return await new Promise((done) => child.once('exit', (code) => done(code)));
  } finally {
    process.off('exit', onExit);
    made.remove();
  }
}
