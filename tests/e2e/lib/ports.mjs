import dgram from 'node:dgram';
import net from 'node:net';

/** A TCP port that is free on loopback now. */
export function freeTcpPort() {
  return new Promise((done, fail) => {
    const server = net.createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function udpIsFree(port) {
  return new Promise((done) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', () => done(false));
    socket.bind(port, () => socket.close(() => done(true)));
  });
}

/** The first of `count` neighbouring UDP ports that are all free (one for each media worker). */
export async function freeUdpPorts(count) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await Promise.all(Array.from({ length: count }, (_, n) => udpIsFree(first + n)));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`found no ${count} neighbouring free UDP ports`);
}
