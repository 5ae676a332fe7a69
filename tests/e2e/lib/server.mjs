// The real program, started in a folder of its own and ended by its process id.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

import { binary, resultsFolder } from './paths.mjs';
import { freeTcpPort, freeUdpPorts } from './ports.mjs';
import { until } from './wait.mjs';

const WORKERS = 2;
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 15_000;

export class Parley {
  /**
   * name: of the log file. host: where it listens. https: own certificate instead of plain HTTP.
   * dev, demo: the flags. smtp: address of a mail server. publicUrl: what links begin with.
   * settings: further `--set` pairs. env: further variables. netns: the network namespace that it runs in.
   */
  static async start(options) {
    const server = new Parley(options);
    await server.prepare();
    await server.launch();
    return server;
  }

  constructor(options) {
    this.options = { host: '127.0.0.1', https: false, settings: {}, ...options };
    this.output = ''; // Of the present run; a restart begins anew.
    this.everything = '';
    this.data = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
    this.log = createWriteStream(join(resultsFolder('logs'), `server-${options.name}.log`));
  }

  async prepare() {
    this.port = await freeTcpPort();
    this.udpPort = await freeUdpPorts(WORKERS);
    this.tcpPort = await freeTcpPort();
    const scheme = this.options.https ? 'https' : 'http';
    this.url = `${scheme}://${this.options.host}:${this.port}`;
  }

  arguments() {
    const { host, https, dev, demo, smtp, publicUrl, settings } = this.options;
    const address = `${host}:${this.port}`;
    const pairs = {
      'media.workers': WORKERS,
      'media.bind': host,
      'media.tcp_port': this.tcpPort,
      ...(https ? { 'tls.names': host } : {}),
      ...(smtp ? { 'smtp.url': smtp } : {}),
      ...settings,
    };
    return [
      'serve',
      '--data', this.data,
      '--http-listen', https ? 'off' : address,
      '--https-listen', https ? address : 'off',
      '--media-udp-port', String(this.udpPort),
      '--public-url', publicUrl ?? this.url,
      ...(dev ? ['--dev'] : []),
      ...(demo ? ['--demo'] : []),
      ...Object.entries(pairs).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ];
  }

  async launch() {
    const inside = this.options.netns ? ['ip', 'netns', 'exec', this.options.netns] : [];
    const [command, ...args] = [...inside, binary, ...this.arguments()];
    const begun = Date.now();
    this.exit = null;
    this.output = '';
    // The server takes PARLEY_… for its settings and refuses the unknown; the tests' own are not for it.
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_'));
    const env = { ...Object.fromEntries(inherited), ...this.options.env };
    this.child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (chunk) => {
        this.output += chunk;
        this.everything += chunk;
        this.log.write(chunk);
      });
    }
    const { child } = this;
    const lastResort = () => child.kill('SIGKILL');
    process.once('exit', lastResort);
    this.exited = new Promise((done) => {
      this.child.once('exit', (code, signal) => {
        process.off('exit', lastResort);
        this.exit = { code, signal };
        done(this.exit);
      });
    });
    await until(
      `the server at ${this.url} answers`,
      async () => {
        if (this.exit) return true;
        return this.output.includes('is ready') && (await this.get('/api/v1/config')).status === 200;
      },
      { timeout: START_LIMIT_MS, every: 25 },
    );
    if (this.exit) throw new Error(`the server ended with ${JSON.stringify(this.exit)}:\n${this.output.slice(-2000)}`);
    this.startedMs = Date.now() - begun;
  }

  /** What browsers name as the origin of the pages: the address that links begin with. */
  get origin() {
    return new URL(this.options.publicUrl ?? this.url).origin;
  }

  get pid() {
    return this.child.pid;
  }

  /** The sign-in that the first start with --demo printed for that address. */
  demoLogin(email) {
    const line = this.everything.split('\n').find((text) => text.includes(email));
    if (!line) throw new Error(`no login of ${email} was printed:\n${this.everything.slice(0, 2000)}`);
    const words = line.trim().split(/\s+/);
    return { email, password: words[words.indexOf('password') + 1] };
  }

  /** Resident memory, KiB. */
  memoryKib() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }

  /** One request, with the server's own certificate accepted. */
  call(method, path, { body, headers = {} } = {}) {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const send = this.options.https ? httpsRequest : httpRequest;
    return new Promise((done, fail) => {
      const request = send(
        this.url + path,
        {
          method,
          rejectUnauthorized: false,
          headers: { ...(payload ? { 'content-type': 'application/json', 'content-length': payload.length } : {}), ...headers },
        },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.once('error', fail);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = (response.headers['content-type'] ?? '').includes('json');
            done({ status: response.statusCode, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined });
          });
        },
      );
      request.setTimeout(10_000, () => request.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
      request.once('error', fail);
      request.end(payload);
    });
  }

  get(path, headers) {
    return this.call('GET', path, { headers });
  }

  /** As a crash does it. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Polite stop; the exit as seen. */
  async terminate() {
    if (this.exit) return this.exit;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.exited;
    clearTimeout(late);
    return this.exit;
  }

  async stop() {
    if (this.child) await this.terminate();
    this.log.end();
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Lines that no run may hold. */
  panics() {
    return this.everything.split('\n').filter((line) => /panicked at|thread '.*' panicked/.test(line));
  }
}
