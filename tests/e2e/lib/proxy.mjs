// A TCP relay in front of the server whose connections the test can cut, as a broken network does.
import net from 'node:net';

export class Relay {
  /** Listens on `listenPort` of `host` (0: any) and passes everything to `port`. */
  static async start({ host = '127.0.0.1', port, listenPort = 0 }) {
    const relay = new Relay();
    relay.pairs = new Set();
    relay.refusing = false;
    relay.server = net.createServer((client) => {
      if (relay.refusing) {
        client.resetAndDestroy();
        return;
      }
      const upstream = net.connect(port, host);
      const pair = { client, upstream };
      relay.pairs.add(pair);
      const end = () => {
        client.destroy();
        upstream.destroy();
        relay.pairs.delete(pair);
      };
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
      client.pipe(upstream).pipe(client);
    });
    await new Promise((done) => relay.server.listen(listenPort, host, done));
    relay.port = relay.server.address().port;
    return relay;
  }

  /** Resets every open connection; returns how many there were. */
  cut() {
    const count = this.pairs.size;
    for (const { client, upstream } of [...this.pairs]) {
      client.resetAndDestroy();
      upstream.destroy();
    }
    return count;
  }

  async stop() {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }
}
