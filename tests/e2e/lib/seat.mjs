// A participant without media: only its WebSocket, which is enough to take a seat in a room.
import WebSocket from 'ws';

export class Seat {
  static take(server, token) {
    const address = new URL('/rtc', server.url.replace(/^http/, 'ws'));
    address.search = new URLSearchParams({ access_token: token, protocol: '16', sdk: 'js', version: '2.0.0', auto_subscribe: '0' });
    const socket = new WebSocket(address, { rejectUnauthorized: false });
    return new Promise((done, fail) => {
      socket.once('message', () => done(new Seat(socket)));
      socket.once('unexpected-response', (_request, response) => fail(new Error(`refused: ${response.statusCode}`)));
      socket.once('error', fail);
    });
  }

  constructor(socket) {
    this.socket = socket;
    socket.on('error', () => {});
  }

  leave() {
    this.socket.close();
  }
}
