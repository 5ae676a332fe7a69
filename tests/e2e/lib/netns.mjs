// Two network namespaces joined by a veth pair, for what does not work or cannot be shown on loopback:
// Firefox's ICE, and a firewall between client and server. Made and removed by the test that uses them.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const SERVER_ADDRESS = '10.231.7.1';
export const BROWSER_ADDRESS = '10.231.7.2';
export const OTHER_BROWSER_ADDRESS = '10.231.7.3';
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
        // A link-local address of IPv6 would be ready a second or two later, and Chromium aborts what it
        // loads then (ERR_NETWORK_CHANGED).
        command('ip', '-n', name, 'link', 'set', link, 'addrgenmode', 'none');
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

const nft = (...words) => command('ip', 'netns', 'exec', namespaces().browser, 'nft', ...words);

/** Drops UDP between the browsers' namespace and the server both ways, as strict firewalls do, and TCP to `tcpPorts`;
 * the result lifts it. */
export function blockUdp({ tcpPorts = [] } = {}) {
  nft('add', 'table', 'inet', 'parley');
  nft('add', 'chain', 'inet', 'parley', 'out', '{ type filter hook output priority 0 ; }');
  nft('add', 'chain', 'inet', 'parley', 'in', '{ type filter hook input priority 0 ; }');
  nft('add', 'rule', 'inet', 'parley', 'out', 'oifname', '!=', 'lo', 'meta', 'l4proto', 'udp', 'drop');
  nft('add', 'rule', 'inet', 'parley', 'in', 'iifname', '!=', 'lo', 'meta', 'l4proto', 'udp', 'drop');
  for (const port of tcpPorts) nft('add', 'rule', 'inet', 'parley', 'out', 'oifname', '!=', 'lo', 'tcp', 'dport', String(port), 'drop');
  return () => nft('delete', 'table', 'inet', 'parley');
}

/**
 * From now on what leaves the browsers' namespace from UDP port `inner` goes out from `outer`, and back: an address
 * translation that was reset. What still comes for the old port is lost.
 */
export function translatePort(inner, outer) {
  const [from, to] = [String(inner), String(outer)];
  nft('add', 'table', 'inet', 'parley_nat');
  nft('add', 'chain', 'inet', 'parley_nat', 'out', '{ type filter hook output priority 0 ; }');
  nft('add', 'chain', 'inet', 'parley_nat', 'in', '{ type filter hook prerouting priority -300 ; }');
  nft('flush', 'table', 'inet', 'parley_nat');
  nft('add', 'rule', 'inet', 'parley_nat', 'in', 'udp', 'dport', from, 'drop');
  nft('add', 'rule', 'inet', 'parley_nat', 'in', 'udp', 'dport', to, 'udp', 'dport', 'set', from);
  nft('add', 'rule', 'inet', 'parley_nat', 'out', 'udp', 'sport', from, 'udp', 'sport', 'set', to);
  return () => nft('delete', 'table', 'inet', 'parley_nat');
}

/** The browsers' namespace gets another address, and loses the one it had: a change of network. */
export function changeAddress(to, from = BROWSER_ADDRESS) {
  const { browser } = namespaces();
  const [program, ...args] = [...privileged, 'ip', '-n', browser, '-o', '-4', 'addr', 'show', 'to', from];
  const link = spawnSync(program, args, { encoding: 'utf8' }).stdout.trim().split(/\s+/)[1].split('@')[0];
  command('ip', '-n', browser, 'addr', 'del', `${from}/24`, 'dev', link);
  command('ip', '-n', browser, 'addr', 'add', `${to}/24`, 'dev', link);
  command('ip', '-n', browser, 'route', 'replace', 'default', 'via', SERVER_ADDRESS);
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
